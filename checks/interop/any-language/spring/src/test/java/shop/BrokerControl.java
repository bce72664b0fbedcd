package shop;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;

/** The control port of the broker. */
final class BrokerControl {
    private static final String URL = System.getProperty("rocketmq.control", "http://127.0.0.1:9080");
    private final HttpClient http = HttpClient.newHttpClient();

    /** Moves the time of the broker: what becomes due on the way is delivered. */
    void advance(Duration duration) throws IOException, InterruptedException {
        String body = "{\"byMs\": %d}".formatted(duration.toMillis());
        String answer = send(HttpRequest.newBuilder(URI.create(URL + "/time/advance"))
            .header("content-type", "application/json")
            .POST(BodyPublishers.ofString(body)));
        if (!answer.contains("\"done\":true")) throw new IllegalStateException("The time was not moved: " + answer);
    }

    /** The messages of a topic that consumers can receive, as JSON. */
    String messages(String topic) throws IOException, InterruptedException {
        return send(HttpRequest.newBuilder(URI.create(URL + "/messages?topic=" + topic)));
    }

    private String send(HttpRequest.Builder request) throws IOException, InterruptedException {
        HttpResponse<String> response = http.send(request.build(), BodyHandlers.ofString());
        if (response.statusCode() != 200) throw new IllegalStateException(response.body());
        return response.body();
    }
}
