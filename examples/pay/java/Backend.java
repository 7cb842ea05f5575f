// A shop behind wechat-proxy's /app/KEY/pay/qrcode and /pay/js: sells one article, and hears when it is paid.
//
//     WECHAT_PROXY_APP=http://127.0.0.1:8080/app/KEY WECHAT_PROXY_API_KEY=wxp_… java Backend.java
//     # JDK 17; 127.0.0.1:9000, another port with PORT=; SITE_URL= where browsers and the proxy find it
//
// What must stay true: the price is this server's, so every link to an order is signed; an order is paid only by a delivery
// whose signature is right and whose amount is the order's; and no delivery is handled twice. It needs nothing but the JDK,
// which has no JSON: Top reads as much of it as a payment needs.

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.time.Instant;
import java.time.LocalDate;
import java.time.format.DateTimeFormatter;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.Executors;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public final class Backend {
    /** What is sold. */
    private static final String ARTICLE = "例子 & Example";

    /** For how much, in fen. */
    private static final int FEE = 1;

    /** How far webhook-timestamp may be from the clock, in seconds: an old request that somebody recorded is worth nothing. */
    private static final long TOLERANCE = 300;

    /** Larger than any delivery of a payment. */
    private static final int MAX_BODY_BYTES = 256 << 10;

    /**
     * How many orders and deliveries are remembered. A real service keeps both in its database, the ids of deliveries under a
     * unique key, and writes them in the transaction that does the work: then a restart forgets nothing.
     */
    private static final int MAX_REMEMBERED = 10_000;

    /** What could be read as the end of a text and the begin of another parameter. */
    private static final Pattern NEXT_PARAMETER = Pattern.compile("&[A-Za-z0-9_]+=");

    private final SecureRandom chance = new SecureRandom();
    private final String apiKey;
    private final String app;
    private final String url;
    private final Map<String, Order> orders = remembered();
    private final Map<String, Boolean> seen = remembered();

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
     * A link to an order (url is …/pay/qrcode or …/pay/js) that the proxy follows for an hour, with these parameters only.
     *
     * <p>The signed text does not escape: what visitors choose could look like another parameter in it. Such a value is refused,
     * here as by the proxy.
     */
    static String signLink(String url, Map<String, String> parameters, String apiKey, Instant now) {
        // Names are ASCII, so this is the order of their bytes.
        SortedMap<String, String> texts = new TreeMap<>(parameters);
        texts.values().removeIf(String::isEmpty);
        texts.remove("sign");
        texts.put("timestamp", Long.toString(now.getEpochSecond()));
        StringBuilder text = new StringBuilder();
        StringBuilder link = new StringBuilder(url).append('?');
        texts.forEach((name, value) -> {
            if (!name.matches("[A-Za-z0-9_]+") || NEXT_PARAMETER.matcher(value).find()) {
                throw new IllegalArgumentException(name + " cannot be signed: it holds '&', a name and '='");
            }
            text.append(name).append('=').append(value).append('&');
            link.append(name).append('=').append(URLEncoder.encode(value, StandardCharsets.UTF_8)).append('&');
        });
        byte[] sign = hmac(apiKey, bytes(text.append("key=").append(apiKey).toString()));
        return link.append("sign=").append(HexFormat.of().withUpperCase().formatHex(sign)).toString();
    }

    /**
     * Whether the proxy sent this: webhook-signature is "v1,BASE64" of HMAC-SHA256 over "id.timestamp.body" with the api_key.
     * After a rotation of the api_key there are two of them, and one that fits is enough.
     */
    static boolean genuine(String apiKey, Headers headers, byte[] body, Instant now) {
        String id = headers.getFirst("webhook-id");
        String timestamp = headers.getFirst("webhook-timestamp");
        String signatures = headers.getFirst("webhook-signature");
        if (id == null || id.isEmpty() || signatures == null || timestamp == null || !timestamp.matches("[0-9]{1,12}")) {
            return false;
        }
        if (Math.abs(now.getEpochSecond() - Long.parseLong(timestamp)) > TOLERANCE) {
            return false;
        }
        byte[] mark = hmac(apiKey, bytes(id + "." + timestamp + "."), body);
        byte[] expected = bytes("v1," + Base64.getEncoder().encodeToString(mark));
        for (String given : signatures.split(" ")) {
            if (MessageDigest.isEqual(bytes(given), expected)) {
                return true;
            }
        }
        return false;
    }

    private static byte[] hmac(String apiKey, byte[]... pieces) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(bytes(apiKey), "HmacSHA256"));
            for (byte[] piece : pieces) {
                mac.update(piece);
            }
            return mac.doFinal();
        } catch (GeneralSecurityException error) {
            throw new IllegalStateException("every Java has HmacSHA256", error);
        }
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** An order: its amount in fen, and what became of it. */
    private record Order(int fee, String state) {}

    /** The number of a new order. It is remembered before anybody can pay it. */
    private synchronized String place(int fee) {
        byte[] random = new byte[12];
        chance.nextBytes(random);
        String number = LocalDate.now().format(DateTimeFormatter.BASIC_ISO_DATE) + HexFormat.of().formatHex(random);
        orders.put(number, new Order(fee, "unpaid"));
        return number;
    }

    /** An order, or null. */
    private synchronized Order order(String number) {
        return orders.get(number);
    }

    /** Takes what genuine let pass, once. Throws when it cannot be handled: then it is delivered again later. */
    private synchronized void take(String id, byte[] body) throws CharacterCodingException {
        if (seen.containsKey(id)) {
            return;
        }
        Map<String, String> event = new Top(body).read();
        String number = event.getOrDefault("out_trade_no", "");
        Order order = orders.get(number);
        if (order == null) {
            throw new IllegalArgumentException("no order " + number);
        }
        // The total of the order, which WeChat tells with every event; cash_fee is less when a coupon paid a part.
        if (!Integer.toString(order.fee()).equals(event.get("total_fee"))) {
            throw new IllegalArgumentException(event.get("total_fee") + " fen for an order of " + order.fee());
        }
        String type = event.getOrDefault("event_type", "");
        if (type.equals("TRANSACTION.SUCCESS") && order.state().equals("unpaid")) {
            // Here the goods are handed out. What takes long belongs into a queue.
            orders.put(number, new Order(order.fee(), "paid"));
        } else if (type.equals("REFUND.SUCCESS")) {
            orders.put(number, new Order(order.fee(), "refunded"));
        }
        // REFUND.CLOSED: no money went back; REFUND.ABNORMAL: the payer's bank refused, somebody has to see to it.
        System.out.println("handled " + id + " " + type + " " + number);
        seen.put(id, true);
    }

    private static <V> Map<String, V> remembered() {
        return new LinkedHashMap<>() {
            @Override
            protected boolean removeEldestEntry(Map.Entry<String, V> eldest) {
                return size() > MAX_REMEMBERED;
            }
        };
    }

    private void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            String path = exchange.getRequestURI().getPath();
            String what = exchange.getRequestMethod() + " " + path;
            if (what.equals("GET /")) {
                offer(exchange);
            } else if (what.startsWith("GET /orders/")) {
                Order order = order(path.substring("/orders/".length()));
                respond(exchange, order == null ? 404 : 200, order == null ? "没有这个订单" : order.state());
            } else if (what.equals("POST /paid")) {
                take(exchange);
            } else {
                respond(exchange, 404, "没有这一页");
            }
        }
    }

    /** A new order, and the link to it: what a page in WeChat asks for, or a picture to be scanned. */
    private void offer(HttpExchange exchange) throws IOException {
        // In WeChat, who pays is in the session of a login (examples/login). Whoever it names, only he can pay.
        String openid = parameter(exchange, "openid");
        String number = place(FEE);
        Map<String, String> order = new HashMap<>();
        order.put("out_trade_no", number);
        order.put("fee", Integer.toString(FEE));
        order.put("name", ARTICLE);
        order.put("call", url + "/paid");
        order.put("openid", openid);
        String link;
        try {
            link = escaped(signLink(app + (openid.isEmpty() ? "/pay/qrcode" : "/pay/js"), order, apiKey, Instant.now()));
        } catch (IllegalArgumentException notPlain) {
            respond(exchange, 400, "openid 不对");
            return;
        }
        String picture = "<img src=\"" + link + "\" alt=\"用微信扫码付款\">";
        String button = "<button data-order=\"" + link + "\">在微信里付款</button>";
        String page = PAGE.replace("{article}", escaped(ARTICLE)).replace("{fee}", String.format("%.2f", FEE / 100.0));
        page = page.replace("{number}", number).replace("{way}", openid.isEmpty() ? picture : button);
        send(exchange, 200, "text/html; charset=utf-8", page);
    }

    /** Takes a delivery. */
    private void take(HttpExchange exchange) throws IOException {
        byte[] body = exchange.getRequestBody().readNBytes(MAX_BODY_BYTES + 1);
        Headers headers = exchange.getRequestHeaders();
        if (body.length > MAX_BODY_BYTES) {
            respond(exchange, 413, "");
            return;
        }
        if (!genuine(apiKey, headers, body, Instant.now())) {
            respond(exchange, 401, "");
            return;
        }
        try {
            take(headers.getFirst("webhook-id"), body);
        } catch (Exception error) {
            // Not 2xx: the proxy delivers it again later, and keeps it where operators find it.
            System.out.println("failed " + headers.getFirst("webhook-id") + " " + error);
            respond(exchange, 500, "");
            return;
        }
        respond(exchange, 200, "");
    }

    private static void respond(HttpExchange exchange, int status, String text) throws IOException {
        send(exchange, status, "text/plain; charset=utf-8", text);
    }

    private static void send(HttpExchange exchange, int status, String type, String text) throws IOException {
        byte[] body = bytes(text);
        exchange.getResponseHeaders().set("Content-Type", type);
        exchange.getResponseHeaders().set("Cache-Control", "no-store");
        exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
        if (body.length > 0) {
            exchange.getResponseBody().write(body);
        }
    }

    private static String parameter(HttpExchange exchange, String name) {
        String query = exchange.getRequestURI().getRawQuery();
        for (String pair : query == null ? new String[0] : query.split("&")) {
            if (pair.startsWith(name + "=")) {
                return URLDecoder.decode(pair.substring(name.length() + 1), StandardCharsets.UTF_8);
            }
        }
        return "";
    }

    private static String escaped(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
    }

    /** What the phone says (result) is for display. Whether it is paid, this server knows from the delivery. */
    private static final String PAGE = """
            <!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">
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
            """;

    /**
     * Reads the texts and numbers at the top of a JSON object, and steps over what is inside of others. What is read was signed
     * by the proxy, so it is JSON. With a JSON library this is one line.
     */
    private static final class Top {
        private static final Pattern WORD = Pattern.compile("[-+.0-9A-Za-z]+");

        private final String json;
        private int at;

        Top(byte[] body) throws CharacterCodingException {
            json = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(body)).toString();
        }

        Map<String, String> read() {
            Map<String, String> members = new HashMap<>();
            expect('{');
            boolean more = !skip('}');
            while (more) {
                String name = text();
                expect(':');
                String value = value();
                if (value != null) {
                    members.put(name, value);
                }
                more = skip(',');
                if (!more) {
                    expect('}');
                }
            }
            return members;
        }

        /** A text, or a word as it is written; null for an object or a list. */
        private String value() {
            skipSpace();
            if (peek() == '"') {
                return text();
            }
            if (peek() == '{' || peek() == '[') {
                stepOver();
                return null;
            }
            Matcher word = WORD.matcher(json).region(at, json.length());
            if (!word.lookingAt()) {
                throw new IllegalArgumentException("no JSON");
            }
            at = word.end();
            return word.group();
        }

        private void stepOver() {
            int depth = 0;
            do {
                if (peek() == '"') {
                    text();
                    continue;
                }
                char taken = take();
                depth += taken == '{' || taken == '[' ? 1 : taken == '}' || taken == ']' ? -1 : 0;
            } while (depth > 0);
        }

        private String text() {
            expect('"');
            StringBuilder text = new StringBuilder();
            for (char taken = take(); taken != '"'; taken = take()) {
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

        private char peek() {
            if (at == json.length()) {
                throw new IllegalArgumentException("the body ends in the middle");
            }
            return json.charAt(at);
        }

        private char take() {
            char taken = peek();
            at++;
            return taken;
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
