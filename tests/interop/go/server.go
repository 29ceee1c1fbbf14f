package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	testpb "google.golang.org/grpc/interop/grpc_testing"
)

// service has the methods. What the description asks no server to have is not registered.
type service struct {
	testpb.UnimplementedTestServiceServer
}

// wasCompressed remembers for a call whether its last message came compressed.
type wasCompressed struct{ last bool }

type compressedKey struct{}

// watcher sees each message as it came from the wire: nothing else in the library tells that it was compressed.
type watcher struct{}

func (watcher) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	if ctx.Value(compressedKey{}) != nil {
		return ctx // A client that wants to know.
	}
	return context.WithValue(ctx, compressedKey{}, &wasCompressed{})
}

func (watcher) HandleRPC(ctx context.Context, event stats.RPCStats) {
	if in, ok := event.(*stats.InPayload); ok {
		if seen, ok := ctx.Value(compressedKey{}).(*wasCompressed); ok {
			seen.last = in.CompressedLength != in.Length
		}
	}
}

func (watcher) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (watcher) HandleConn(context.Context, stats.ConnStats)                       {}

// checkCompressed refuses a message that did not come as its sender says it sent it.
func checkCompressed(ctx context.Context, expected *testpb.BoolValue) error {
	if expected == nil {
		return nil
	}
	seen, _ := ctx.Value(compressedKey{}).(*wasCompressed)
	if seen.last != expected.Value {
		return status.Errorf(codes.InvalidArgument, "compressed: %v, expected %v", seen.last, expected.Value)
	}
	return nil
}

func compressAs(ctx context.Context, wanted *testpb.BoolValue) error {
	if wanted.GetValue() {
		return grpc.SetSendCompressor(ctx, gzip.Name)
	}
	return nil
}

func asked(wanted *testpb.EchoStatus) error {
	if wanted.GetCode() == 0 {
		return nil
	}
	return status.Error(codes.Code(wanted.GetCode()), wanted.GetMessage())
}

// echo returns the metadata that is to be sent back in headers and in trailers.
func echo(ctx context.Context) (initial, trailing metadata.MD) {
	found, _ := metadata.FromIncomingContext(ctx)
	initial, trailing = metadata.MD{}, metadata.MD{}
	if values := found.Get(echoInitial); len(values) > 0 {
		initial[echoInitial] = values
	}
	if values := found.Get(echoTrailing); len(values) > 0 {
		trailing[echoTrailing] = values
	}
	return initial, trailing
}

func (service) EmptyCall(context.Context, *testpb.Empty) (*testpb.Empty, error) {
	return &testpb.Empty{}, nil
}

func (service) UnaryCall(ctx context.Context, request *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	initial, trailing := echo(ctx)
	if report := request.GetOrcaPerQueryReport(); report != nil {
		trailing.Set(loadReport, reportBytes(report))
		trailing.Set(loadCopy, reportBytes(report))
	}
	if err := grpc.SetTrailer(ctx, trailing); err != nil {
		return nil, err
	}
	if err := checkCompressed(ctx, request.GetExpectCompressed()); err != nil {
		return nil, err
	}
	if err := asked(request.GetResponseStatus()); err != nil {
		return nil, err
	}
	if err := compressAs(ctx, request.GetResponseCompressed()); err != nil {
		return nil, err
	}
	if len(initial) > 0 {
		if err := grpc.SendHeader(ctx, initial); err != nil {
			return nil, err
		}
	}
	return &testpb.SimpleResponse{Payload: zeros(request.GetResponseSize())}, nil
}

func (service) StreamingInputCall(stream testpb.TestService_StreamingInputCallServer) error {
	total := 0
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&testpb.StreamingInputCallResponse{AggregatedPayloadSize: int32(total)})
		}
		if err != nil {
			return err
		}
		if err := checkCompressed(stream.Context(), request.GetExpectCompressed()); err != nil {
			return err
		}
		total += len(request.GetPayload().GetBody())
	}
}

type sender interface {
	Send(*testpb.StreamingOutputCallResponse) error
	Context() context.Context
}

func chunks(stream sender, request *testpb.StreamingOutputCallRequest) error {
	for _, parameters := range request.GetResponseParameters() {
		select {
		case <-stream.Context().Done():
			return stream.Context().Err()
		case <-time.After(time.Duration(parameters.GetIntervalUs()) * time.Microsecond):
		}
		if err := stream.Send(&testpb.StreamingOutputCallResponse{Payload: zeros(parameters.GetSize())}); err != nil {
			return err
		}
	}
	return nil
}

func (service) StreamingOutputCall(
	request *testpb.StreamingOutputCallRequest, stream testpb.TestService_StreamingOutputCallServer,
) error {
	initial, trailing := echo(stream.Context())
	stream.SetTrailer(trailing)
	if err := stream.SetHeader(initial); err != nil {
		return err
	}
	for _, parameters := range request.GetResponseParameters() {
		if err := compressAs(stream.Context(), parameters.GetCompressed()); err != nil {
			return err
		}
		break // One setting holds for all messages of a stream.
	}
	if err := chunks(stream, request); err != nil {
		return err
	}
	return asked(request.GetResponseStatus())
}

func (service) FullDuplexCall(stream testpb.TestService_FullDuplexCallServer) error {
	initial, trailing := echo(stream.Context())
	stream.SetTrailer(trailing)
	if len(initial) > 0 {
		if err := stream.SendHeader(initial); err != nil {
			return err
		}
	}
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := asked(request.GetResponseStatus()); err != nil {
			return err
		}
		if err := chunks(stream, request); err != nil {
			return err
		}
	}
}

func serve(args given) {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", args.port))
	if err != nil {
		panic(err)
	}
	server := grpc.NewServer(
		grpc.Creds(serverCredentials(args.transport, args.certs)),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxRecvMsgSize(big),
		grpc.MaxSendMsgSize(big),
		grpc.MaxHeaderListSize(maxMetadata),
		grpc.StatsHandler(watcher{}),
	)
	testpb.RegisterTestServiceServer(server, service{})
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	if err := server.Serve(listener); err != nil {
		panic(err)
	}
}
