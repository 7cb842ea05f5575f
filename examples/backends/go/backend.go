// A backend behind wechat-proxy's /app/KEY/msg/json: says a user's text back, welcomes who follows.
//
//	WECHAT_PROXY_API_KEY=wxp_… go run backend.go        # 127.0.0.1:9000, another port with PORT=
//
// What must stay true: nothing is looked at before its signature is verified, and no delivery is handled twice.
// It needs nothing but Go's own packages; genuine does what Verify of
// github.com/standard-webhooks/standard-webhooks/libraries/go does.
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// Larger than what the proxy takes from WeChat (1 MiB); escapes can make JSON longer than the XML it came from.
	maxBodyBytes = 4 << 20

	// How many deliveries are remembered. A real service keeps their ids in its database, under a unique key, and writes
	// them in the transaction that does the work: then a restart forgets nothing. Deliveries come again for up to about
	// two days.
	maxRemembered = 10_000

	// How far webhook-timestamp may be from the clock: an old request that somebody recorded is worth nothing.
	tolerance = 5 * time.Minute
)

// Message holds what this backend needs. Only that: elements that it does not name cannot spoil it by their type. Go
// compares names without case, so a MsgId here would also catch the MsgID of other events; it has 64 bits, take json.Number.
type Message struct {
	MsgType string
	Event   string
	Content string
}

// Reply is a text. Who it goes to and when is filled in by the proxy.
type Reply struct {
	MsgType string
	Content string
}

// answer is nil for no reply.
func answer(message Message) *Reply {
	switch {
	case message.MsgType == "text":
		return &Reply{"text", "你说：" + message.Content}
	case message.MsgType == "event" && message.Event == "subscribe":
		return &Reply{"text", "欢迎关注！"}
	}
	return nil
}

// genuine checks webhook-signature: "v1,BASE64" of HMAC-SHA256 over "id.timestamp.body" with the api_key; after a rotation
// there are two of them, and one that fits is enough.
func genuine(apiKey, body []byte, header http.Header, now time.Time) bool {
	id, timestamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || id == "" || now.Sub(time.Unix(seconds, 0)).Abs() > tolerance {
		return false
	}
	mac := hmac.New(sha256.New, apiKey)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	expected := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for _, given := range strings.Fields(header.Get("webhook-signature")) {
		if hmac.Equal([]byte(given), []byte(expected)) {
			return true
		}
	}
	return false
}

// Deliveries answers each delivery once; a repeated one gets the answer of the first time.
type Deliveries struct {
	lock    sync.Mutex
	answers map[string][]byte
	order   []string
}

// What takes long does not belong under this lock, nor into the 5 seconds that WeChat waits: put it into a queue.
func (d *Deliveries) answer(id string, body []byte) ([]byte, error) {
	d.lock.Lock()
	defer d.lock.Unlock()
	if known, ok := d.answers[id]; ok {
		return known, nil
	}
	var message Message
	if err := json.Unmarshal(body, &message); err != nil {
		return nil, err
	}
	var fresh []byte
	if reply := answer(message); reply != nil {
		var err error
		if fresh, err = json.Marshal(reply); err != nil {
			return nil, err
		}
	}
	log.Println("handled", id, message.MsgType, message.Event)
	d.answers[id] = fresh
	d.order = append(d.order, id)
	if len(d.order) > maxRemembered {
		delete(d.answers, d.order[0])
		d.order = d.order[1:]
	}
	return fresh, nil
}

func main() {
	apiKey, port := []byte(os.Getenv("WECHAT_PROXY_API_KEY")), os.Getenv("PORT")
	if len(apiKey) == 0 {
		log.Fatal("set WECHAT_PROXY_API_KEY to the app's api_key (wxp_…)")
	}
	if port == "" {
		port = "9000"
	}
	deliveries := &Deliveries{answers: map[string][]byte{}}
	handler := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
		if err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		if !genuine(apiKey, body, r.Header, time.Now()) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		reply, err := deliveries.answer(r.Header.Get("webhook-id"), body)
		if err != nil {
			// Not 2xx: the proxy delivers it again later.
			log.Println("failed", r.Header.Get("webhook-id"), err)
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Write(reply)
	}
	server := &http.Server{
		Addr:              "127.0.0.1:" + port,
		Handler:           http.HandlerFunc(handler),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
	}
	log.Println("listening on http://" + server.Addr)
	log.Fatal(server.ListenAndServe())
}
