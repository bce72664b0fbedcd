// Servers of other makers in front of a broker: grpc-go on its own HTTP/2, and on that of golang.org/x/net. Each forwards raw messages,
// headers and trailers, and knows nothing of RocketMQ. The settings are the smallest that are legal, or that the server takes.
package main

import (
	"flag"
	"log"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/h2c"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

const smallestFrame = 16_384

type settings struct {
	listen, broker  string
	streams, window uint
	paddedBy        int
	age             time.Duration
	onNet           bool
}

func main() {
	var s settings
	flag.StringVar(&s.listen, "listen", "", "host:port to listen on")
	flag.StringVar(&s.broker, "broker", "", "host:port of the broker")
	flag.UintVar(&s.streams, "streams", 1, "how many streams a connection may have")
	flag.UintVar(&s.window, "window", 1, "the window of a stream; grpc-go takes no less than 65535")
	flag.IntVar(&s.paddedBy, "large", 0, "the size of the additional headers and trailers")
	flag.DurationVar(&s.age, "age", 0, "leaves each connection after so long; 0: never")
	flag.BoolVar(&s.onNet, "net", false, "serves on golang.org/x/net/http2")
	flag.Parse()
	if err := serve(s); err != nil {
		log.Fatal(err)
	}
}

func serve(s settings) error {
	forwarder, err := newForwarder(s.broker, s.paddedBy)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", s.listen)
	if err != nil {
		return err
	}
	log.Print("listening")
	options := []grpc.ServerOption{
		grpc.ForceServerCodec(rawCodec{}),
		grpc.UnknownServiceHandler(forwarder.forward),
		grpc.MaxRecvMsgSize(largestMessage),
		grpc.MaxConcurrentStreams(uint32(s.streams)),
		grpc.HeaderTableSize(0),
		grpc.InitialWindowSize(int32(s.window)),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: s.age}),
		// The client pings when it hears nothing.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 1, PermitWithoutStream: true}),
	}
	server := grpc.NewServer(options...)
	if !s.onNet {
		return server.Serve(listener)
	}
	transport := &http2.Server{
		MaxConcurrentStreams:         uint32(s.streams),
		MaxReadFrameSize:             smallestFrame,
		MaxUploadBufferPerStream:     int32(s.window),
		MaxUploadBufferPerConnection: 65_535,
		// 0 would be the default; in a table of 1 byte there is room for nothing.
		MaxDecoderHeaderTableSize: 1,
	}
	return (&http.Server{Handler: h2c.NewHandler(server, transport)}).Serve(listener)
}
