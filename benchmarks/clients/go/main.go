// The grpc-go client: see clients/__init__.py.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// Bytes as they are.
type codec struct{}

func (codec) Marshal(value any) ([]byte, error)      { return *value.(*[]byte), nil }
func (codec) Unmarshal(data []byte, value any) error { *value.(*[]byte) = data; return nil }
func (codec) Name() string                           { return "proto" }

func call(connection *grpc.ClientConn, number int64, varying bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), 9*time.Second)
	defer cancel()
	if varying {
		ctx = metadata.AppendToOutgoingContext(ctx,
			"traceparent", fmt.Sprintf("00-4bf92f3577b34da6a3ce929d%08x-00f067aa%08x-01", number, number),
			"x-request-id", fmt.Sprintf("7f1c2f6e-0b1d-4b7e-9f7d-%012x", number),
			"authorization", "Bearer 0123456789abcdef0123456789abcdef")
	}
	request, reply := make([]byte, 100), []byte{}
	return connection.Invoke(ctx, "/bench.v1.Echo/Unary", &request, &reply, grpc.ForceCodec(codec{}))
}

func drive(connection *grpc.ClientConn, calls int64, inFlight int, varying bool) int64 {
	var begun, failed atomic.Int64
	var all sync.WaitGroup
	for range inFlight {
		all.Add(1)
		go func() {
			defer all.Done()
			for {
				number := begun.Add(1)
				if number > calls {
					return
				}
				if call(connection, number, varying) != nil {
					failed.Add(1)
				}
			}
		}()
	}
	all.Wait()
	return failed.Load()
}

func main() {
	target, varying := os.Args[1], os.Args[4] == "1"
	calls, _ := strconv.ParseInt(os.Args[2], 10, 64)
	inFlight, _ := strconv.Atoi(os.Args[3])
	connection, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	drive(connection, 500, inFlight, varying)
	fmt.Println("begin")
	bufio.NewReader(os.Stdin).ReadString('\n')
	began := time.Now()
	errors := drive(connection, calls, inFlight, varying)
	fmt.Printf("{\"calls\": %d, \"errors\": %d, \"seconds\": %f}\n", calls, errors, time.Since(began).Seconds())
}
