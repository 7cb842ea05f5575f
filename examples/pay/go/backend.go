// A shop behind wechat-proxy's /app/KEY/pay/qrcode and /pay/js: sells one article, and hears when it is paid.
//
//	WECHAT_PROXY_APP=http://127.0.0.1:8080/app/KEY WECHAT_PROXY_API_KEY=wxp_… go run backend.go
//	# 127.0.0.1:9000, another port with PORT=; SITE_URL= where browsers and the proxy find it
//
// What must stay true: the price is this server's, so every link to an order is signed; an order is paid only by a delivery
// whose signature is right and whose amount is the order's; and no delivery is handled twice. It needs nothing but Go's own
// packages.
package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// What is sold, and for how much, in fen.
	article = "例子 & Example"
	fee     = 1

	// How far webhook-timestamp may be from the clock: an old request that somebody recorded is worth nothing.
	tolerance = 5 * time.Minute

	// Larger than any delivery of a payment.
	maxBodyBytes = 256 << 10

	// How many orders and deliveries are remembered. A real service keeps both in its database, the ids of deliveries under
	// a unique key, and writes them in the transaction that does the work: then a restart forgets nothing.
	maxRemembered = 10_000
)

var (
	plainName     = regexp.MustCompile(`^[A-Za-z0-9_]+$`)
	nextParameter = regexp.MustCompile(`&[A-Za-z0-9_]+=`)
	errNotPlain   = errors.New("a value holds '&', a name and '=': it cannot be signed")
)

// signLink makes a link to an order (address is …/pay/qrcode or …/pay/js) that the proxy follows for an hour, with these
// parameters only.
//
// The signed text does not escape: what visitors choose could look like another parameter in it. Such a value is refused, here
// as by the proxy.
func signLink(address string, parameters map[string]string, apiKey string, now time.Time) (string, error) {
	query, pairs := url.Values{}, []string{}
	for name, text := range parameters {
		if text != "" && name != "sign" {
			query.Set(name, text)
		}
	}
	query.Set("timestamp", strconv.FormatInt(now.Unix(), 10))
	names := make([]string, 0, len(query))
	for name := range query {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		text := query.Get(name)
		if !plainName.MatchString(name) || nextParameter.MatchString(text) {
			return "", errNotPlain
		}
		pairs = append(pairs, name+"="+text)
	}
	mac := hmac.New(sha256.New, []byte(apiKey))
	mac.Write([]byte(strings.Join(append(pairs, "key="+apiKey), "&")))
	query.Set("sign", strings.ToUpper(hex.EncodeToString(mac.Sum(nil))))
	return address + "?" + query.Encode(), nil
}

// genuine is whether the proxy sent this: webhook-signature is "v1,BASE64" of HMAC-SHA256 over "id.timestamp.body" with the
// api_key. After a rotation of the api_key there are two of them, and one that fits is enough.
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

// Event is what a delivery says, as far as this shop needs it.
type Event struct {
	EventType  string `json:"event_type"`
	OutTradeNo string `json:"out_trade_no"`
	// The total of the order, in fen, which WeChat tells with every event; cash_fee is less when a coupon paid a part.
	TotalFee int64 `json:"total_fee"`
}

// Order is one that was placed.
type Order struct {
	fee   int64
	state string
}

// Orders knows what was ordered, and what became of it. Its lock lets one request after the other.
type Orders struct {
	lock   sync.Mutex
	orders map[string]*Order
	seen   map[string]bool
	// The keys of both, the oldest first.
	numbers, ids []string
}

// place gives the number of a new order. It is remembered before anybody can pay it.
func (o *Orders) place(fee int64) string {
	bytes := make([]byte, 12)
	if _, err := rand.Read(bytes); err != nil {
		log.Fatal("no random numbers: ", err)
	}
	number := time.Now().Format("20060102") + hex.EncodeToString(bytes)
	o.lock.Lock()
	defer o.lock.Unlock()
	o.orders[number] = &Order{fee, "unpaid"}
	o.numbers = append(o.numbers, number)
	if len(o.numbers) > maxRemembered {
		delete(o.orders, o.numbers[0])
		o.numbers = o.numbers[1:]
	}
	return number
}

// state is "unpaid", "paid" or "refunded"; "" for an order that is not known.
func (o *Orders) state(number string) string {
	o.lock.Lock()
	defer o.lock.Unlock()
	if order := o.orders[number]; order != nil {
		return order.state
	}
	return ""
}

// take takes what genuine let pass, once. After an error it is delivered again later.
func (o *Orders) take(id string, body []byte) error {
	o.lock.Lock()
	defer o.lock.Unlock()
	if o.seen[id] {
		return nil
	}
	var event Event
	if err := json.Unmarshal(body, &event); err != nil {
		return err
	}
	order := o.orders[event.OutTradeNo]
	switch {
	case order == nil:
		return fmt.Errorf("no order %q", event.OutTradeNo)
	case event.TotalFee != order.fee:
		return fmt.Errorf("%d fen for an order of %d", event.TotalFee, order.fee)
	case event.EventType == "TRANSACTION.SUCCESS" && order.state == "unpaid":
		// Here the goods are handed out. What takes long belongs into a queue.
		order.state = "paid"
	case event.EventType == "REFUND.SUCCESS":
		order.state = "refunded"
	}
	// REFUND.CLOSED: no money went back; REFUND.ABNORMAL: the payer's bank refused, somebody has to see to it.
	log.Println("handled", id, event.EventType, event.OutTradeNo)
	o.seen[id] = true
	o.ids = append(o.ids, id)
	if len(o.ids) > maxRemembered {
		delete(o.seen, o.ids[0])
		o.ids = o.ids[1:]
	}
	return nil
}

// Shop is what the environment says, and what was ordered.
type Shop struct {
	apiKey, app, url string
	orders           Orders
}

// offer makes a new order, and the link to it: what a page in WeChat asks for, or a picture to be scanned.
func (s *Shop) offer(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		respond(w, http.StatusNotFound, "没有这一页")
		return
	}
	// In WeChat, who pays is in the session of a login (examples/login). Whoever it names, only he can pay.
	openid, path := r.URL.Query().Get("openid"), "/pay/qrcode"
	if openid != "" {
		path = "/pay/js"
	}
	number := s.orders.place(fee)
	order := map[string]string{
		"out_trade_no": number,
		"fee":          strconv.Itoa(fee),
		"name":         article,
		"call":         s.url + "/paid",
		"openid":       openid,
	}
	link, err := signLink(s.app+path, order, s.apiKey, time.Now())
	if err != nil {
		respond(w, http.StatusBadRequest, "openid 不对")
		return
	}
	way := `<img src="` + html.EscapeString(link) + `" alt="用微信扫码付款">`
	if openid != "" {
		way = `<button data-order="` + html.EscapeString(link) + `">在微信里付款</button>`
	}
	price := fmt.Sprintf("%.2f", fee/100.0)
	filled := strings.NewReplacer("{article}", html.EscapeString(article), "{fee}", price, "{number}", number, "{way}", way)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	filled.WriteString(w, page)
}

func (s *Shop) show(w http.ResponseWriter, r *http.Request) {
	state := s.orders.state(strings.TrimPrefix(r.URL.Path, "/orders/"))
	if state == "" {
		respond(w, http.StatusNotFound, "没有这个订单")
		return
	}
	respond(w, http.StatusOK, state)
}

// take takes a delivery.
func (s *Shop) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	if err != nil || r.Method != http.MethodPost {
		respond(w, http.StatusBadRequest, "")
		return
	}
	if !genuine([]byte(s.apiKey), body, r.Header, time.Now()) {
		respond(w, http.StatusUnauthorized, "")
		return
	}
	if err := s.orders.take(r.Header.Get("webhook-id"), body); err != nil {
		// Not 2xx: the proxy delivers it again later, and keeps it where operators find it.
		log.Println("failed", r.Header.Get("webhook-id"), err)
		respond(w, http.StatusInternalServerError, "")
		return
	}
	respond(w, http.StatusOK, "")
}

func respond(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	io.WriteString(w, text)
}

// What the phone says (result) is for display. Whether it is paid, this server knows from the delivery.
const page = `<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<h1>{article} ¥ {fee}</h1>{way}<p id="state">unpaid</p>
<script>
  const button = document.querySelector('button');
  const say = (text) => { document.getElementById('state').textContent = text; };
  if (button) button.onclick = async () => {
    const order = await (await fetch(button.dataset.order)).json();
    if (!order.paySign) return say(order.errmsg);
    WeixinJSBridge.invoke('getBrandWCPayRequest', order, (result) => say(result.err_msg));
  };
  setInterval(async () => {
    const state = await (await fetch('/orders/{number}')).text();
    if (state !== 'unpaid') say(state);
  }, 2000);
</script>
`

func environment(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func main() {
	port := environment("PORT", "9000")
	shop := &Shop{
		apiKey: os.Getenv("WECHAT_PROXY_API_KEY"),
		app:    strings.TrimRight(environment("WECHAT_PROXY_APP", "http://127.0.0.1:8080/app/test"), "/"),
		url:    strings.TrimRight(environment("SITE_URL", "http://127.0.0.1:"+port), "/"),
		orders: Orders{orders: map[string]*Order{}, seen: map[string]bool{}},
	}
	if shop.apiKey == "" {
		log.Fatal("set WECHAT_PROXY_API_KEY to the app's api_key (wxp_…)")
	}
	http.HandleFunc("/", shop.offer)
	http.HandleFunc("/orders/", shop.show)
	http.HandleFunc("/paid", shop.take)
	server := &http.Server{Addr: "127.0.0.1:" + port, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second}
	log.Println("listening on http://" + server.Addr)
	log.Fatal(server.ListenAndServe())
}
