package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"

	testpb "google.golang.org/grpc/interop/grpc_testing"
)

const caseLimit = time.Minute

type scale struct {
	many, largeAtOnce, channels, streams int
	veryLarge                            int32
	soak, longLived                      time.Duration
}

var scales = map[string]scale{
	"short": {150, 8, 5, 130, 6 << 20, 200 * time.Millisecond, 300 * time.Millisecond},
	"full":  {3000, 300, 100, 300, 32 << 20, 5 * time.Second, 8 * time.Second},
}

// run is a channel, how to make another, and how much to do.
type run struct {
	client  testpb.TestServiceClient
	channel *grpc.ClientConn
	connect func() *grpc.ClientConn
	scale   scale
}

type outcome struct {
	Path   string  `json:"path"`
	Case   string  `json:"case"`
	Result string  `json:"result"`
	Why    string  `json:"why"`
	TookS  float64 `json:"took_s"`
}

func connect(args given, address string) *grpc.ClientConn {
	channel, err := grpc.NewClient(
		address,
		grpc.WithTransportCredentials(clientCredentials(args.transport, args.certs)),
		grpc.WithMaxHeaderListSize(maxMetadata),
		grpc.WithStatsHandler(watcher{}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(big), grpc.MaxCallSendMsgSize(big)),
	)
	if err != nil {
		panic(err)
	}
	return channel
}

// runCase returns why a case failed; nil when it did not.
func runCase(work func(run), args given, address string) (failure error) {
	ended := make(chan error, 1)
	made := connect(args, address)
	defer made.Close()
	go func() {
		defer func() {
			if found := recover(); found != nil {
				ended <- fmt.Errorf("%v", found)
				return
			}
			ended <- nil
		}()
		work(run{
			client:  testpb.NewTestServiceClient(made),
			channel: made,
			connect: func() *grpc.ClientConn { return connect(args, address) },
			scale:   scales[args.scale],
		})
	}()
	select {
	case failure = <-ended:
		return failure
	case <-time.After(caseLimit):
		return fmt.Errorf("no end in time")
	}
}

func runClient(args given) {
	names := caseNames
	if args.cases != "" {
		names = strings.Split(args.cases, ",")
	}
	lines := json.NewEncoder(os.Stdout)
	for _, place := range args.at {
		path, address, _ := strings.Cut(place, "=")
		for _, name := range names {
			began := time.Now()
			result := outcome{Path: path, Case: name, Result: "passed"}
			if err := runCase(cases[name], args, address); err != nil {
				result.Result, result.Why = "failed", err.Error()
			}
			result.TookS = time.Since(began).Seconds()
			if err := lines.Encode(result); err != nil {
				panic(err)
			}
		}
	}
}
