package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	testpb "google.golang.org/grpc/interop/grpc_testing"
)

const (
	up      = 271828
	down    = 314159
	special = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"
)

var (
	requestSizes  = []int32{27182, 8, 1828, 45904}
	responseSizes = []int32{31415, 9, 2653, 58979}
)

// The cases fail by panicking; runCase catches it.
var cases = map[string]func(run){
	"empty_unary": emptyUnary, "large_unary": func(r run) { large(r.client, up, down) },
	"client_compressed_unary": clientCompressedUnary, "server_compressed_unary": serverCompressedUnary,
	"client_compressed_streaming": clientCompressedStreaming, "server_compressed_streaming": serverCompressedStreaming,
	"client_streaming": clientStreaming, "server_streaming": serverStreaming,
	"ping_pong": pingPong, "empty_stream": emptyStream, "custom_metadata": customMetadata,
	"status_code_and_message": statusCodeAndMessage, "special_status_message": specialStatusMessage,
	"unimplemented_method": unimplementedMethod, "unimplemented_service": unimplementedService,
	"cancel_after_begin": cancelAfterBegin, "cancel_after_first_response": cancelAfterFirstResponse,
	"timeout_on_sleeping_server": timeoutOnSleepingServer, "orca_per_rpc": orcaPerRPC,
	"message_of_4_mib":       func(r run) { large(r.client, 4<<20-64, 4<<20-64) },
	"very_large_request":     func(r run) { large(r.client, r.scale.veryLarge, r.scale.veryLarge/2) },
	"metadata_of_63_kb":      metadataOf63KB,
	"concurrent_large_unary": func(r run) { atOnce(r, r.scale.largeAtOnce, func(int) { large(r.client, up, down) }) },
	"many_calls":             func(r run) { atOnce(r, r.scale.many, func(int) { large(r.client, 10, 20) }) },
	"many_timeouts":          manyTimeouts, "more_than_max_streams": moreThanMaxStreams,
	"rpc_soak": rpcSoak, "channel_soak": channelSoak, "long_lived_stream": longLivedStream,
}

// caseNames is the order of the run.
var caseNames = strings.Fields(`empty_unary large_unary client_compressed_unary server_compressed_unary
	client_compressed_streaming server_compressed_streaming client_streaming server_streaming ping_pong empty_stream
	custom_metadata status_code_and_message special_status_message unimplemented_method unimplemented_service
	cancel_after_begin cancel_after_first_response timeout_on_sleeping_server orca_per_rpc message_of_4_mib
	very_large_request metadata_of_63_kb concurrent_large_unary many_calls many_timeouts more_than_max_streams
	rpc_soak channel_soak long_lived_stream`)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func expect(right bool, format string, values ...any) {
	if !right {
		panic(fmt.Sprintf(format, values...))
	}
}

func expectStatus(err error, code codes.Code, message string) {
	got := status.Convert(err)
	expect(got.Code() == code, "status %v (%s) instead of %v", got.Code(), got.Message(), code)
	expect(message == "" || got.Message() == message, "message %q, not %q", got.Message(), message)
}

func background() context.Context { return context.Background() }

// atOnce does work many times at once, behind a call after which the client knows its peer's SETTINGS.
func atOnce(r run, count int, work func(int)) {
	emptyUnary(r)
	var group sync.WaitGroup
	failures := make(chan any, count)
	for number := range count {
		group.Add(1)
		go func() {
			defer group.Done()
			defer func() {
				if found := recover(); found != nil {
					failures <- found
				}
			}()
			work(number)
		}()
	}
	group.Wait()
	select {
	case found := <-failures:
		panic(found)
	default:
	}
}

func large(client testpb.TestServiceClient, up, down int32, options ...grpc.CallOption) {
	request := &testpb.SimpleRequest{ResponseSize: down, Payload: zeros(up)}
	answer, err := client.UnaryCall(background(), request, options...)
	check(err)
	expect(len(answer.GetPayload().GetBody()) == int(down), "%d bytes", len(answer.GetPayload().GetBody()))
}

func asking(interval time.Duration, up int32, sizes ...int32) *testpb.StreamingOutputCallRequest {
	request := &testpb.StreamingOutputCallRequest{Payload: zeros(up)}
	for _, size := range sizes {
		parameters := &testpb.ResponseParameters{Size: size, IntervalUs: int32(interval.Microseconds())}
		request.ResponseParameters = append(request.ResponseParameters, parameters)
	}
	return request
}

type receiver interface {
	Recv() (*testpb.StreamingOutputCallResponse, error)
}

func expectSizes(stream receiver, sizes ...int32) {
	for _, size := range sizes {
		answer, err := stream.Recv()
		check(err)
		expect(len(answer.GetPayload().GetBody()) == int(size), "%d bytes", len(answer.GetPayload().GetBody()))
	}
}

func expectEnd(stream receiver) {
	_, err := stream.Recv()
	expect(errors.Is(err, io.EOF), "%v instead of the end", err)
}

func emptyUnary(r run) {
	_, err := r.client.EmptyCall(background(), &testpb.Empty{})
	check(err)
}

func clientCompressedUnary(r run) {
	request := &testpb.SimpleRequest{
		ResponseSize: down, Payload: zeros(up), ExpectCompressed: &testpb.BoolValue{Value: true},
	}
	_, err := r.client.UnaryCall(background(), request, grpc.UseCompressor(gzip.Name))
	check(err)
	request.ExpectCompressed.Value = false
	_, err = r.client.UnaryCall(background(), request)
	check(err)
}

func serverCompressedUnary(r run) {
	for _, compressed := range []bool{true, false} {
		seen := &wasCompressed{}
		ctx := context.WithValue(background(), compressedKey{}, seen)
		request := &testpb.SimpleRequest{
			ResponseSize: down, Payload: zeros(up), ResponseCompressed: &testpb.BoolValue{Value: compressed},
		}
		_, err := r.client.UnaryCall(ctx, request)
		check(err)
		expect(seen.last == compressed, "compressed: %v instead of %v", seen.last, compressed)
	}
}

func clientCompressedStreaming(r run) {
	stream, err := r.client.StreamingInputCall(background(), grpc.UseCompressor(gzip.Name))
	check(err)
	for _, size := range []int32{27182, 45904} {
		check(stream.Send(&testpb.StreamingInputCallRequest{Payload: zeros(size)}))
	}
	answer, err := stream.CloseAndRecv()
	check(err)
	expect(answer.GetAggregatedPayloadSize() == 73086, "sum %d", answer.GetAggregatedPayloadSize())
}

func serverCompressedStreaming(r run) {
	request := asking(0, 0, 31415, 92653)
	request.ResponseParameters[0].Compressed = &testpb.BoolValue{Value: true}
	seen := &wasCompressed{}
	stream, err := r.client.StreamingOutputCall(context.WithValue(background(), compressedKey{}, seen), request)
	check(err)
	expectSizes(stream, 31415, 92653)
	expect(seen.last, "the answer was not compressed")
	expectEnd(stream)
}

func clientStreaming(r run) {
	stream, err := r.client.StreamingInputCall(background())
	check(err)
	for _, size := range requestSizes {
		check(stream.Send(&testpb.StreamingInputCallRequest{Payload: zeros(size)}))
	}
	answer, err := stream.CloseAndRecv()
	check(err)
	expect(answer.GetAggregatedPayloadSize() == 74922, "sum %d", answer.GetAggregatedPayloadSize())
}

func serverStreaming(r run) {
	stream, err := r.client.StreamingOutputCall(background(), asking(0, 0, responseSizes...))
	check(err)
	expectSizes(stream, responseSizes...)
	expectEnd(stream)
}

func duplex(ctx context.Context, r run) testpb.TestService_FullDuplexCallClient {
	stream, err := r.client.FullDuplexCall(ctx)
	check(err)
	return stream
}

func pingPong(r run) {
	stream := duplex(background(), r)
	for index, size := range responseSizes {
		check(stream.Send(asking(0, requestSizes[index], size)))
		expectSizes(stream, size)
	}
	check(stream.CloseSend())
	expectEnd(stream)
}

func emptyStream(r run) {
	stream := duplex(background(), r)
	check(stream.CloseSend())
	expectEnd(stream)
}

func expectEchoed(initial, trailing metadata.MD) {
	found := strings.Join(initial.Get(echoInitial), ",")
	expect(found == "test_initial_metadata_value", "initial metadata %q", found)
	bytes := strings.Join(trailing.Get(echoTrailing), ",")
	expect(bytes == "\xab\xab\xab", "trailing metadata %q", bytes)
}

func customMetadata(r run) {
	ctx := metadata.AppendToOutgoingContext(
		background(), echoInitial, "test_initial_metadata_value", echoTrailing, "\xab\xab\xab",
	)
	var initial, trailing metadata.MD
	request := &testpb.SimpleRequest{ResponseSize: down, Payload: zeros(up)}
	_, err := r.client.UnaryCall(ctx, request, grpc.Header(&initial), grpc.Trailer(&trailing))
	check(err)
	expectEchoed(initial, trailing)
	stream := duplex(ctx, r)
	check(stream.Send(asking(0, up, down)))
	expectSizes(stream, down)
	check(stream.CloseSend())
	expectEnd(stream)
	initial, err = stream.Header()
	check(err)
	expectEchoed(initial, stream.Trailer())
}

func statusCodeAndMessage(r run) {
	wanted := &testpb.EchoStatus{Code: int32(codes.Unknown), Message: "test status message"}
	_, err := r.client.UnaryCall(background(), &testpb.SimpleRequest{ResponseStatus: wanted})
	expectStatus(err, codes.Unknown, wanted.Message)
	stream := duplex(background(), r)
	check(stream.Send(&testpb.StreamingOutputCallRequest{ResponseStatus: wanted}))
	check(stream.CloseSend())
	_, err = stream.Recv()
	expectStatus(err, codes.Unknown, wanted.Message)
}

func specialStatusMessage(r run) {
	wanted := &testpb.EchoStatus{Code: int32(codes.Unknown), Message: special}
	_, err := r.client.UnaryCall(background(), &testpb.SimpleRequest{ResponseStatus: wanted})
	expectStatus(err, codes.Unknown, special)
}

func unimplementedMethod(r run) {
	_, err := r.client.UnimplementedCall(background(), &testpb.Empty{})
	expectStatus(err, codes.Unimplemented, "")
}

func unimplementedService(r run) {
	_, err := testpb.NewUnimplementedServiceClient(r.channel).UnimplementedCall(background(), &testpb.Empty{})
	expectStatus(err, codes.Unimplemented, "")
}

func cancelAfterBegin(r run) {
	ctx, cancel := context.WithCancel(background())
	stream, err := r.client.StreamingInputCall(ctx)
	check(err)
	cancel()
	_, err = stream.CloseAndRecv()
	expectStatus(err, codes.Canceled, "")
}

func cancelAfterFirstResponse(r run) {
	ctx, cancel := context.WithCancel(background())
	stream := duplex(ctx, r)
	check(stream.Send(asking(0, 27182, 31415)))
	expectSizes(stream, 31415)
	cancel()
	_, err := stream.Recv()
	expectStatus(err, codes.Canceled, "")
}

func timeoutOnSleepingServer(r run) {
	ctx, cancel := context.WithTimeout(background(), time.Millisecond)
	defer cancel()
	stream, err := r.client.FullDuplexCall(ctx)
	if err == nil {
		_ = stream.Send(asking(0, 27182)) // May be late; the status comes from Recv.
		_, err = stream.Recv()
	}
	expectStatus(err, codes.DeadlineExceeded, "")
}

func orcaPerRPC(r run) {
	report := &testpb.TestOrcaReport{
		CpuUtilization: 0.8210, MemoryUtilization: 0.5847,
		RequestCost: map[string]float64{"cost": 3456.32}, Utilization: map[string]float64{"util": 0.30499},
	}
	var trailing metadata.MD
	request := &testpb.SimpleRequest{OrcaPerQueryReport: report}
	_, err := r.client.UnaryCall(background(), request, grpc.Trailer(&trailing))
	check(err)
	for _, name := range []string{loadReport, loadCopy} {
		found := strings.Join(trailing.Get(name), ",")
		expect(found == reportBytes(report), "%s is %q", name, found)
	}
}

func metadataOf63KB(r run) {
	value := strings.Repeat("m", 63000)
	var initial metadata.MD
	ctx := metadata.AppendToOutgoingContext(background(), echoInitial, value)
	_, err := r.client.UnaryCall(ctx, &testpb.SimpleRequest{ResponseSize: 1}, grpc.Header(&initial))
	check(err)
	expect(strings.Join(initial.Get(echoInitial), ",") == value, "the value did not come back")
}

func manyTimeouts(r run) {
	atOnce(r, r.scale.many, func(number int) {
		limit := 20*time.Millisecond + time.Duration(number%10)*2*time.Millisecond
		ctx, cancel := context.WithTimeout(background(), limit)
		defer cancel()
		stream, err := r.client.StreamingOutputCall(ctx, asking(20*time.Second, 0, 1))
		if err == nil {
			_, err = stream.Recv()
		}
		expectStatus(err, codes.DeadlineExceeded, "")
	})
	large(r.client, 10, 20)
}

func moreThanMaxStreams(r run) {
	atOnce(r, r.scale.streams, func(int) {
		stream, err := r.client.StreamingOutputCall(background(), asking(10*time.Millisecond, 0, 1, 1))
		check(err)
		expectSizes(stream, 1, 1)
		expectEnd(stream)
	})
}

func rpcSoak(r run) {
	for until := time.Now().Add(r.scale.soak); time.Now().Before(until); {
		large(r.client, 1000, 1000)
	}
}

func channelSoak(r run) {
	for range r.scale.channels {
		channel := r.connect()
		large(testpb.NewTestServiceClient(channel), 1000, 1000)
		check(channel.Close())
	}
}

func longLivedStream(r run) {
	stream := duplex(background(), r)
	for range 4 {
		check(stream.Send(asking(0, 1000, 1000)))
		expectSizes(stream, 1000)
		time.Sleep(r.scale.longLived / 4)
	}
	check(stream.CloseSend())
	expectEnd(stream)
}
