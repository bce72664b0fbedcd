// grpc-java in front of a broker: forwards raw messages, headers and trailers, and knows nothing of RocketMQ. Run with
// java -cp '<jars>/*' Peer.java LISTEN_PORT BROKER STREAMS WINDOW LARGE fixed|growing

import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.HandlerRegistry;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerMethodDefinition;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

public class Peer {
  private static final int LARGEST_MESSAGE = 64 * 1024 * 1024;
  /** One answer in so many has large headers and trailers. */
  private static final int LARGE_ONE_OF = 4;
  /** Fields of this size are remembered in a header table, and evict each other. */
  private static final int FIELD_CHARS = 300;

  public static void main(String[] args) throws Exception {
    int port = Integer.parseInt(args[0]);
    ManagedChannel broker =
        NettyChannelBuilder.forTarget(args[1]).usePlaintext().maxInboundMessageSize(LARGEST_MESSAGE).build();
    int large = Integer.parseInt(args[4]);
    NettyServerBuilder server = NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", port));
    int window = Integer.parseInt(args[3]);
    // Otherwise it grows with what arrives.
    if (args[5].equals("fixed")) server.flowControlWindow(window);
    else server.initialFlowControlWindow(window);
    server
        .maxConcurrentCallsPerConnection(Integer.parseInt(args[2]))
        .maxInboundMetadataSize(8 * 1024)
        .maxInboundMessageSize(LARGEST_MESSAGE)
        // The client pings when it hears nothing.
        .permitKeepAliveTime(1, TimeUnit.MILLISECONDS)
        .permitKeepAliveWithoutCalls(true)
        .fallbackHandlerRegistry(new Forwarder(broker, large))
        .build()
        .start()
        .awaitTermination();
  }

  private static final class Forwarder extends HandlerRegistry {
    private final ManagedChannel broker;
    private final int large;
    private final AtomicLong calls = new AtomicLong();

    Forwarder(ManagedChannel broker, int large) {
      this.broker = broker;
      this.large = large;
    }

    @Override
    public ServerMethodDefinition<?, ?> lookupMethod(String name, String authority) {
      MethodDescriptor<byte[], byte[]> method =
          MethodDescriptor.newBuilder(new Raw(), new Raw())
              .setType(MethodDescriptor.MethodType.BIDI_STREAMING)
              .setFullMethodName(name)
              .build();
      return ServerMethodDefinition.create(method, (client, headers) -> forward(method, client, headers));
    }

    private ServerCall.Listener<byte[]> forward(
        MethodDescriptor<byte[], byte[]> method, ServerCall<byte[], byte[]> client, Metadata headers) {
      boolean isLarge = large > 0 && calls.incrementAndGet() % LARGE_ONE_OF == 0;
      // The deadline and the cancellation of the call come with its context.
      ClientCall<byte[], byte[]> call = broker.newCall(method, CallOptions.DEFAULT);
      call.start(
          new ClientCall.Listener<byte[]>() {
            private boolean hasHeaders;

            @Override
            public void onHeaders(Metadata headers) {
              if (isLarge) addLarge(headers, "headers");
              hasHeaders = true;
              client.sendHeaders(headers);
            }

            @Override
            public void onMessage(byte[] message) {
              client.sendMessage(message);
              call.request(1);
            }

            @Override
            public void onClose(Status status, Metadata trailers) {
              if (isLarge && hasHeaders) addLarge(trailers, "trailers");
              client.close(status, trailers);
            }
          },
          headers);
      call.request(1);
      client.request(1);
      return new ServerCall.Listener<byte[]>() {
        @Override
        public void onMessage(byte[] message) {
          call.sendMessage(message);
          client.request(1);
        }

        @Override
        public void onHalfClose() {
          call.halfClose();
        }

        @Override
        public void onCancel() {
          call.cancel("the client canceled it", null);
        }
      };
    }

    /** Adds fields of some size, none of which repeats. */
    private void addLarge(Metadata metadata, String name) {
      for (int at = 0; at < large; at += FIELD_CHARS) {
        String value = Long.toHexString(ThreadLocalRandom.current().nextLong());
        metadata.put(
            Metadata.Key.of("x-" + name + "-" + at, Metadata.ASCII_STRING_MARSHALLER),
            value + "x".repeat(FIELD_CHARS - value.length()));
      }
    }
  }

  /** Passes messages on as they are. */
  private static final class Raw implements MethodDescriptor.Marshaller<byte[]> {
    @Override
    public InputStream stream(byte[] message) {
      return new ByteArrayInputStream(message);
    }

    @Override
    public byte[] parse(InputStream stream) {
      try {
        return stream.readAllBytes();
      } catch (IOException error) {
        throw new UncheckedIOException(error);
      }
    }
  }
}
