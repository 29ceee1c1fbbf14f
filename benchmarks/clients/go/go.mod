module seawall.dev/bench/client

go 1.23

require google.golang.org/grpc v1.70.0
