// A site behind wechat-proxy's /app/KEY/auth/info: logs its visitors in with WeChat.
//
//     WECHAT_PROXY_APP=http://127.0.0.1:8080/app/KEY WECHAT_PROXY_API_KEY=wxp_… java Backend.java
//     # JDK 17; 127.0.0.1:9000, another port with PORT=; SITE_URL= where browsers find it
//
// What must stay true: who the visitor is comes only from what verify lets pass, which was signed for this site; each login
// counts once, and only in the browser that began it. It needs nothing but the JDK, which has no JSON: Flat reads as much of
// it as the proxy sends.

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URLEncoder;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.Executors;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public final class Backend {
    /** How far timestamp may be from the clock, in seconds. */
    private static final long TOLERANCE = 300;

    /** Larger than any user that WeChat describes. */
    private static final int MAX_BODY_BYTES = 64 << 10;

    /** How many sessions are remembered. A real service keeps them, and the nonces, in its database or cache. */
    private static final int MAX_REMEMBERED = 10_000;

    /** What could be read as the end of a text and the begin of another member. */
    private static final Pattern NEXT_MEMBER = Pattern.compile("&[A-Za-z0-9_]+=");

    private final SecureRandom chance = new SecureRandom();
    private final String apiKey;
    private final String app;
    private final String url;
    private final Map<String, Long> nonces = new HashMap<>();
    private final Map<String, Map<String, String>> users = new LinkedHashMap<>() {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Map<String, String>> eldest) {
            return size() > MAX_REMEMBERED;
        }
    };

    private Backend(String apiKey, String app, String url) {
        this.apiKey = apiKey;
        this.app = app.replaceAll("/+$", "");
        this.url = url.replaceAll("/+$", "");
    }

    public static void main(String[] arguments) throws IOException {
        Map<String, String> environment = System.getenv();
        String apiKey = environment.getOrDefault("WECHAT_PROXY_API_KEY", "");
        if (apiKey.isEmpty()) {
            System.err.println("set WECHAT_PROXY_API_KEY to the app's api_key (wxp_…)");
            System.exit(1);
        }
        String app = environment.getOrDefault("WECHAT_PROXY_APP", "http://127.0.0.1:8080/app/test");
        int port = Integer.parseInt(environment.getOrDefault("PORT", "9000"));
        String url = environment.getOrDefault("SITE_URL", "http://127.0.0.1:" + port);
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 0);
        server.createContext("/", new Backend(apiKey, app, url)::handle);
        server.setExecutor(Executors.newFixedThreadPool(8));
        server.start();
        System.out.println("listening on http://127.0.0.1:" + port);
    }

    /**
     * The members of a signed JSON body, as the texts that were signed; null when it is not genuine, or not for origin.
     *
     * <p>Types are not signed (0 and "0" are the same text), so only texts come out. A {@code &name=} in a text could make two
     * members of one, or one of two, under the same signature: the proxy sends none but in state, where it does no harm. What
     * another site, port or scheme got says nothing here, so origin must be the one of this site, as browsers write it.
     */
    static Map<String, String> verify(byte[] body, String apiKey, String origin) {
        SortedMap<String, String> members;
        try {
            members = new Flat(body).read();
        } catch (IllegalArgumentException | CharacterCodingException notWhatTheProxySends) {
            return null;
        }
        String given = members.getOrDefault("sign", "");
        members.remove("sign");
        StringBuilder text = new StringBuilder();
        for (Map.Entry<String, String> member : members.entrySet()) {
            boolean plain = member.getKey().equals("state") || !NEXT_MEMBER.matcher(member.getValue()).find();
            if (!plain || !member.getKey().matches("[a-z][a-z0-9_]*")) {
                return null;
            }
            if (!member.getValue().isEmpty()) {
                text.append(member.getKey()).append('=').append(member.getValue()).append('&');
            }
        }
        byte[] expected = bytes(hmac(text.append("key=").append(apiKey).toString(), apiKey));
        boolean genuine = MessageDigest.isEqual(expected, bytes(given));
        return genuine && origin.equals(members.get("origin")) ? members : null;
    }

    /** HMAC-SHA256 in upper-case hexadecimal digits. */
    private static String hmac(String text, String apiKey) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(bytes(apiKey), "HmacSHA256"));
            return HexFormat.of().withUpperCase().formatHex(mac.doFinal(bytes(text)));
        } catch (GeneralSecurityException error) {
            throw new IllegalStateException("every Java has HmacSHA256", error);
        }
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** Whether what verify let pass is of now, and was not here before. */
    private synchronized boolean firstTime(Map<String, String> user, long now) {
        String when = user.getOrDefault("timestamp", "");
        String nonce = user.getOrDefault("nonce", "");
        if (!when.matches("[0-9]{1,12}") || Math.abs(now - Long.parseLong(when)) > TOLERANCE || nonce.isEmpty()) {
            return false;
        }
        nonces.values().removeIf(end -> end < now);
        return nonces.putIfAbsent(nonce, Long.parseLong(when) + TOLERANCE) == null;
    }

    /** The name of a new session. */
    private synchronized String enter(Map<String, String> user) {
        String session = random();
        users.put(session, user);
        return session;
    }

    /** The user of a session, in the browser whose cookie "login" is the state that this login began with; or null. */
    private synchronized Map<String, String> userOf(HttpExchange exchange) {
        Map<String, String> user = users.get(cookie(exchange, "session"));
        String login = cookie(exchange, "login");
        boolean begunHere = user != null && MessageDigest.isEqual(bytes(user.getOrDefault("state", "")), bytes(login));
        return begunHere && !login.isEmpty() ? user : null;
    }

    private void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            switch (exchange.getRequestMethod() + " " + exchange.getRequestURI().getPath()) {
                case "GET /" -> show(exchange);
                case "GET /login" -> login(exchange);
                case "POST /wechat" -> accept(exchange);
                default -> page(exchange, 404, "没有这一页", Map.of());
            }
        }
    }

    private void show(HttpExchange exchange) throws IOException {
        Map<String, String> user = userOf(exchange);
        if (user == null) {
            page(exchange, 200, "还没有登录", Map.of());
            return;
        }
        String name = user.getOrDefault("nickname", "");
        page(exchange, 200, "你好, " + (name.isEmpty() ? user.getOrDefault("openid", user.get("userid")) : name), user);
    }

    private void login(HttpExchange exchange) throws IOException {
        String state = random();
        String call = URLEncoder.encode(url + "/wechat", StandardCharsets.UTF_8);
        lead(exchange, 302, app + "/auth/info?call=" + call + "&state=" + state, "login=" + state);
    }

    /** Takes what the proxy says about the visitor. */
    private void accept(HttpExchange exchange) throws IOException {
        byte[] body = exchange.getRequestBody().readNBytes(MAX_BODY_BYTES + 1);
        Map<String, String> user = body.length > MAX_BODY_BYTES ? null : verify(body, apiKey, url);
        if (user == null || !firstTime(user, Instant.now().getEpochSecond())) {
            page(exchange, 401, "登录信息无效或已过期", Map.of());
        } else if (!user.getOrDefault("error", "").isEmpty()) {
            // access_denied: the visitor said no.
            page(exchange, 403, "没有登录: " + user.get("error"), Map.of());
        } else {
            lead(exchange, 303, "/", "session=" + enter(user));
        }
    }

    /** With HTTPS add "; Secure". Lax is what keeps the comparison in userOf worth something. */
    private static void lead(HttpExchange exchange, int status, String location, String cookie) throws IOException {
        exchange.getResponseHeaders().set("Location", location);
        exchange.getResponseHeaders().set("Set-Cookie", cookie + "; Path=/; HttpOnly; SameSite=Lax");
        exchange.getResponseHeaders().set("Cache-Control", "no-store");
        exchange.sendResponseHeaders(status, -1);
    }

    private static void page(HttpExchange exchange, int status, String title, Map<String, String> user) throws IOException {
        StringBuilder rows = new StringBuilder();
        user.forEach((name, text) -> rows.append("<li>" + escaped(name) + ": " + escaped(text) + "</li>"));
        byte[] body = bytes("<!doctype html><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><h1>"
                + escaped(title) + "</h1><ul>" + rows + "</ul><a href=\"/login\">用微信登录</a>");
        exchange.getResponseHeaders().set("Content-Type", "text/html; charset=utf-8");
        exchange.getResponseHeaders().set("Cache-Control", "no-store");
        exchange.sendResponseHeaders(status, body.length);
        exchange.getResponseBody().write(body);
    }

    private static String escaped(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
    }

    private static String cookie(HttpExchange exchange, String name) {
        for (String header : exchange.getRequestHeaders().getOrDefault("Cookie", List.of())) {
            for (String pair : header.split("; *")) {
                if (pair.startsWith(name + "=")) {
                    return pair.substring(name.length() + 1);
                }
            }
        }
        return "";
    }

    private String random() {
        byte[] random = new byte[32];
        chance.nextBytes(random);
        return Base64.getUrlEncoder().withoutPadding().encodeToString(random);
    }

    /**
     * Reads a JSON object that holds only texts, integers, true, false, null and lists of them, and gives each as it stands in
     * the signed text. With a JSON library: take numbers as they are written, never by way of double.
     */
    private static final class Flat {
        private static final Pattern WORD = Pattern.compile("-?[0-9]+|true|false|null");

        private final String json;
        private int at;

        Flat(byte[] body) throws CharacterCodingException {
            json = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(body)).toString();
        }

        SortedMap<String, String> read() {
            // Names are ASCII, so this is the order of their bytes.
            SortedMap<String, String> members = new TreeMap<>();
            expect('{');
            boolean more = !skip('}');
            while (more) {
                String name = text();
                expect(':');
                if (members.put(name, value()) != null) {
                    throw new IllegalArgumentException("a name occurs twice");
                }
                more = skip(',');
                if (!more) {
                    expect('}');
                }
            }
            skipSpace();
            if (at != json.length()) {
                throw new IllegalArgumentException("something follows the object");
            }
            return members;
        }

        private String value() {
            if (!skip('[')) {
                return scalar();
            }
            List<String> items = new ArrayList<>();
            boolean more = !skip(']');
            while (more) {
                items.add(scalar());
                more = skip(',');
                if (!more) {
                    expect(']');
                }
            }
            return String.join(",", items);
        }

        private String scalar() {
            skipSpace();
            if (at < json.length() && json.charAt(at) == '"') {
                return text();
            }
            Matcher word = WORD.matcher(json).region(at, json.length());
            if (!word.lookingAt()) {
                throw new IllegalArgumentException("no JSON, or more of it than the proxy sends");
            }
            at = word.end();
            return word.group().equals("null") ? "" : word.group();
        }

        private String text() {
            expect('"');
            StringBuilder text = new StringBuilder();
            for (char taken = take(); taken != '"'; taken = take()) {
                if (taken < ' ') {
                    throw new IllegalArgumentException("a bare control character in a text");
                }
                text.append(taken == '\\' ? escape() : taken);
            }
            return text.toString();
        }

        private char escape() {
            char which = take();
            if (which == 'u' && at + 4 <= json.length()) {
                at += 4;
                return (char) HexFormat.fromHexDigits(json, at - 4, at);
            }
            int known = "\"\\/bfnrt".indexOf(which);
            if (known < 0) {
                throw new IllegalArgumentException("no such escape in JSON");
            }
            return "\"\\/\b\f\n\r\t".charAt(known);
        }

        private char take() {
            if (at == json.length()) {
                throw new IllegalArgumentException("the body ends in the middle");
            }
            return json.charAt(at++);
        }

        private void expect(char wanted) {
            if (!skip(wanted)) {
                throw new IllegalArgumentException("no " + wanted + " where one must be");
            }
        }

        private boolean skip(char wanted) {
            skipSpace();
            boolean there = at < json.length() && json.charAt(at) == wanted;
            at += there ? 1 : 0;
            return there;
        }

        private void skipSpace() {
            while (at < json.length() && " \t\r\n".indexOf(json.charAt(at)) >= 0) {
                at++;
            }
        }
    }
}
