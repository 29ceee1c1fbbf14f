// Test client and server on grpc-go for tests/interop.
//
//	peer server -port 0 -transport plaintext|tls|mtls -certs FOLDER
//	peer client -scale short|full -cases A,B -at direct=HOST:PORT ...
package main

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	testpb "google.golang.org/grpc/interop/grpc_testing"
)

const (
	maxStreams   = 100
	big          = 64 << 20
	maxMetadata  = 128 << 10
	echoInitial  = "x-grpc-test-echo-initial"
	echoTrailing = "x-grpc-test-echo-trailing-bin"
	loadReport   = "endpoint-load-metrics-bin"
	loadCopy     = "x-load-report-bin"
)

type given struct {
	port      int
	transport string
	certs     string
	scale     string
	cases     string
	at        places
}

type places []string

func (p *places) String() string { return strings.Join(*p, " ") }

func (p *places) Set(value string) error {
	*p = append(*p, value)
	return nil
}

func zeros(size int32) *testpb.Payload {
	return &testpb.Payload{Body: make([]byte, size)}
}

func reportBytes(report *testpb.TestOrcaReport) string {
	bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(report)
	if err != nil {
		panic(err)
	}
	return string(bytes)
}

func pool(certs string) *x509.CertPool {
	bytes, err := os.ReadFile(filepath.Join(certs, "ca.pem"))
	if err != nil {
		panic(err)
	}
	result := x509.NewCertPool()
	result.AppendCertsFromPEM(bytes)
	return result
}

func pair(certs, name string) []tls.Certificate {
	found, err := tls.LoadX509KeyPair(filepath.Join(certs, name+".pem"), filepath.Join(certs, name+".key"))
	if err != nil {
		panic(err)
	}
	return []tls.Certificate{found}
}

func serverCredentials(kind, certs string) credentials.TransportCredentials {
	if kind == "plaintext" {
		return insecure.NewCredentials()
	}
	config := &tls.Config{Certificates: pair(certs, "server"), MinVersion: tls.VersionTLS12}
	if kind == "mtls" {
		config.ClientCAs = pool(certs)
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return credentials.NewTLS(config)
}

func clientCredentials(kind, certs string) credentials.TransportCredentials {
	if kind == "plaintext" {
		return insecure.NewCredentials()
	}
	config := &tls.Config{RootCAs: pool(certs), ServerName: "localhost", MinVersion: tls.VersionTLS12}
	if kind == "mtls" {
		config.Certificates = pair(certs, "client")
	}
	return credentials.NewTLS(config)
}

func main() {
	var args given
	flags := flag.NewFlagSet("peer", flag.ExitOnError)
	flags.IntVar(&args.port, "port", 0, "port to serve on")
	flags.StringVar(&args.transport, "transport", "plaintext", "plaintext, tls or mtls")
	flags.StringVar(&args.certs, "certs", ".", "folder of the certificates")
	flags.StringVar(&args.scale, "scale", "short", "short or full")
	flags.StringVar(&args.cases, "cases", "", "cases to run; all without it")
	flags.Var(&args.at, "at", "PATH=HOST:PORT, once for each place")
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "say client or server")
		os.Exit(2)
	}
	if err := flags.Parse(os.Args[2:]); err != nil {
		os.Exit(2)
	}
	if os.Args[1] == "server" {
		serve(args)
		return
	}
	runClient(args)
}
