package shop

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

var (
	nameServer = cmp.Or(os.Getenv("ROCKETMQ_NAME_SERVER"), "127.0.0.1:9876")
	control    = cmp.Or(os.Getenv("ROCKETMQ_CONTROL"), "http://127.0.0.1:9080")
)

// advance moves the time of the broker: what becomes due on the way is delivered.
func advance(t *testing.T, duration time.Duration) {
	t.Helper()
	body := fmt.Sprintf(`{"byMs": %d}`, duration.Milliseconds())
	answer := read(t)(http.Post(control+"/time/advance", "application/json", bytes.NewBufferString(body)))
	if !strings.Contains(answer, `"done":true`) {
		t.Fatal("the time was not moved: ", answer)
	}
}

// messages are those of a topic that consumers can receive, as JSON.
func messages(t *testing.T, topic string) string {
	t.Helper()
	return read(t)(http.Get(control + "/messages?topic=" + topic))
}

func read(t *testing.T) func(*http.Response, error) string {
	return func(response *http.Response, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatal(response.Status, string(text), err)
		}
		return string(text)
	}
}
