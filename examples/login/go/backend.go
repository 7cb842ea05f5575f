// A site behind wechat-proxy's /app/KEY/auth/info: logs its visitors in with WeChat.
//
//	WECHAT_PROXY_APP=http://127.0.0.1:8080/app/KEY WECHAT_PROXY_API_KEY=wxp_… go run backend.go
//	# 127.0.0.1:9000, another port with PORT=; SITE_URL= where browsers find it
//
// What must stay true: who the visitor is comes only from what verify lets pass, which was signed for this site; each login
// counts once, and only in the browser that began it. It needs nothing but Go's own packages.
package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
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
	// How far timestamp may be from the clock, in seconds.
	tolerance = 300

	// Larger than any user that WeChat describes.
	maxBodyBytes = 64 << 10

	// How many sessions are remembered. A real service keeps them, and the nonces, in its database or cache.
	maxRemembered = 10_000
)

var (
	plainName  = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	nextMember = regexp.MustCompile(`&[A-Za-z0-9_]+=`)
	integer    = regexp.MustCompile(`^-?[0-9]+$`)
)

// User holds the members of a signed body as the texts that were signed: types are not signed (0 and "0" are the same text).
type User map[string]string

// verify is nil for a body that is not genuine, or not for origin.
//
// A &name= in a text could make two members of one, or one of two, under the same signature: the proxy sends none but in
// state, where it does no harm. What another site, port or scheme got says nothing here, so origin must be the one of this
// site, as browsers write it.
func verify(body []byte, apiKey, origin string) User {
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil {
		return nil
	}
	user, pairs := User{}, []string{}
	for name, value := range members {
		text, ok := signedText(value)
		if !ok || !plainName.MatchString(name) || name != "state" && nextMember.MatchString(text) {
			return nil
		}
		user[name] = text
	}
	given := user["sign"]
	delete(user, "sign")
	names := make([]string, 0, len(user))
	for name := range user {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if user[name] != "" {
			pairs = append(pairs, name+"="+user[name])
		}
	}
	mac := hmac.New(sha256.New, []byte(apiKey))
	mac.Write([]byte(strings.Join(append(pairs, "key="+apiKey), "&")))
	expected := strings.ToUpper(hex.EncodeToString(mac.Sum(nil)))
	if !hmac.Equal([]byte(given), []byte(expected)) || user["origin"] != origin {
		return nil
	}
	return user
}

// signedText is how a value stands in the signed text: a number as it is written, never by way of float64.
func signedText(value json.RawMessage) (string, bool) {
	if value[0] != '[' {
		return scalarText(value)
	}
	var items []json.RawMessage
	if json.Unmarshal(value, &items) != nil {
		return "", false
	}
	texts := make([]string, len(items))
	for index, item := range items {
		var ok bool
		if texts[index], ok = scalarText(item); !ok {
			return "", false
		}
	}
	return strings.Join(texts, ","), true
}

func scalarText(value json.RawMessage) (string, bool) {
	switch written := string(value); {
	case written == "null":
		return "", true
	case written == "true", written == "false", integer.MatchString(written):
		return written, true
	}
	var text string
	err := json.Unmarshal(value, &text)
	return text, err == nil
}

// Visitors knows who is logged in.
type Visitors struct {
	lock   sync.Mutex
	users  map[string]User
	order  []string
	nonces map[string]int64
}

// firstTime is whether what verify let pass is of now, and was not here before.
func (v *Visitors) firstTime(user User, now int64) bool {
	when, err := strconv.ParseInt(user["timestamp"], 10, 64)
	if err != nil || when < now-tolerance || when > now+tolerance || user["nonce"] == "" {
		return false
	}
	v.lock.Lock()
	defer v.lock.Unlock()
	for nonce, end := range v.nonces {
		if end < now {
			delete(v.nonces, nonce)
		}
	}
	if _, known := v.nonces[user["nonce"]]; known {
		return false
	}
	v.nonces[user["nonce"]] = when + tolerance
	return true
}

// enter is the name of a new session.
func (v *Visitors) enter(user User) string {
	session := random()
	v.lock.Lock()
	defer v.lock.Unlock()
	v.users[session] = user
	v.order = append(v.order, session)
	if len(v.order) > maxRemembered {
		delete(v.users, v.order[0])
		v.order = v.order[1:]
	}
	return session
}

// user is the one of a session, in the browser whose cookie "login" is the state that this login began with; or nil.
func (v *Visitors) user(r *http.Request) User {
	session, noSession := r.Cookie("session")
	login, noLogin := r.Cookie("login")
	if noSession != nil || noLogin != nil {
		return nil
	}
	v.lock.Lock()
	defer v.lock.Unlock()
	user := v.users[session.Value]
	if login.Value == "" || !hmac.Equal([]byte(user["state"]), []byte(login.Value)) {
		return nil
	}
	return user
}

// Site is what the environment says, and who is logged in.
type Site struct {
	apiKey, app, url string
	visitors         Visitors
}

func (s *Site) show(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		page(w, http.StatusNotFound, "没有这一页", nil)
		return
	}
	user := s.visitors.user(r)
	if user == nil {
		page(w, http.StatusOK, "还没有登录", nil)
		return
	}
	page(w, http.StatusOK, "你好, "+firstOf(user["nickname"], user["openid"], user["userid"]), user)
}

func (s *Site) login(w http.ResponseWriter, _ *http.Request) {
	state := random()
	query := url.Values{"call": {s.url + "/wechat"}, "state": {state}}
	lead(w, http.StatusFound, s.app+"/auth/info?"+query.Encode(), "login", state)
}

// accept takes what the proxy says about the visitor.
func (s *Site) accept(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	if err != nil || r.Method != http.MethodPost {
		page(w, http.StatusBadRequest, "看不懂的请求", nil)
		return
	}
	user := verify(body, s.apiKey, s.url)
	switch {
	case user == nil || !s.visitors.firstTime(user, time.Now().Unix()):
		page(w, http.StatusUnauthorized, "登录信息无效或已过期", nil)
	case user["error"] != "":
		// access_denied: the visitor said no.
		page(w, http.StatusForbidden, "没有登录: "+user["error"], nil)
	default:
		lead(w, http.StatusSeeOther, "/", "session", s.visitors.enter(user))
	}
}

// With HTTPS set Secure too. Lax is what keeps the comparison in Visitors.user worth something.
func lead(w http.ResponseWriter, status int, location, cookie, value string) {
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", location)
	w.WriteHeader(status)
}

func page(w http.ResponseWriter, status int, title string, user User) {
	rows := ""
	for name, text := range user {
		rows += "<li>" + html.EscapeString(name) + ": " + html.EscapeString(text) + "</li>"
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	io.WriteString(w, `<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width"><h1>`+
		html.EscapeString(title)+"</h1><ul>"+rows+`</ul><a href="/login">用微信登录</a>`)
}

func random() string {
	bytes := make([]byte, 32)
	if _, err := rand.Read(bytes); err != nil {
		log.Fatal("no random numbers: ", err)
	}
	return base64.RawURLEncoding.EncodeToString(bytes)
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

func main() {
	apiKey := os.Getenv("WECHAT_PROXY_API_KEY")
	if apiKey == "" {
		log.Fatal("set WECHAT_PROXY_API_KEY to the app's api_key (wxp_…)")
	}
	address := "127.0.0.1:" + firstOf(os.Getenv("PORT"), "9000")
	site := &Site{
		apiKey:   apiKey,
		app:      strings.TrimRight(firstOf(os.Getenv("WECHAT_PROXY_APP"), "http://127.0.0.1:8080/app/test"), "/"),
		url:      strings.TrimRight(firstOf(os.Getenv("SITE_URL"), "http://"+address), "/"),
		visitors: Visitors{users: map[string]User{}, nonces: map[string]int64{}},
	}
	pages := http.NewServeMux()
	pages.HandleFunc("/", site.show)
	pages.HandleFunc("/login", site.login)
	pages.HandleFunc("/wechat", site.accept)
	server := &http.Server{Addr: address, Handler: pages, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second}
	log.Println("listening on http://" + address)
	log.Fatal(server.ListenAndServe())
}
