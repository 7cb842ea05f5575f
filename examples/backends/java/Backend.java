// A backend behind wechat-proxy's /app/KEY/msg: says a user's text back, welcomes who follows. XML in, XML out, because the
// JDK can read XML and not JSON; with a JSON library, /app/KEY/msg/json is shorter.
//
//     WECHAT_PROXY_API_KEY=wxp_… java Backend.java        # JDK 17; 127.0.0.1:9000, another port with PORT=
//
// What must stay true: nothing is looked at before its signature is verified, and no delivery is handled twice.
// It needs nothing but the JDK; genuine does what verify of com.standardwebhooks:standardwebhooks does.

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Executors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Element;
import org.w3c.dom.Node;

public final class Backend {
    /** Larger than what the proxy takes from WeChat (1 MiB). */
    private static final int MAX_BODY_BYTES = 4 << 20;

    /**
     * How many deliveries are remembered. A real service keeps their ids in its database, under a unique key, and writes
     * them in the transaction that does the work: then a restart forgets nothing. Deliveries come again for up to about
     * two days.
     */
    private static final int MAX_REMEMBERED = 10_000;

    /** How far webhook-timestamp may be from the clock: an old request that somebody recorded is worth nothing. */
    private static final long TOLERANCE_SECONDS = 300;

    private final byte[] apiKey;
    private final Map<String, byte[]> answers = new LinkedHashMap<>() {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, byte[]> eldest) {
            return size() > MAX_REMEMBERED;
        }
    };

    private Backend(String apiKey) {
        this.apiKey = apiKey.getBytes(StandardCharsets.UTF_8);
    }

    public static void main(String[] arguments) throws IOException {
        String apiKey = System.getenv("WECHAT_PROXY_API_KEY");
        if (apiKey == null || apiKey.isEmpty()) {
            System.err.println("set WECHAT_PROXY_API_KEY to the app's api_key (wxp_…)");
            System.exit(1);
        }
        int port = Integer.parseInt(System.getenv().getOrDefault("PORT", "9000"));
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 0);
        server.createContext("/", new Backend(apiKey)::handle);
        server.setExecutor(Executors.newFixedThreadPool(8));
        server.start();
        System.out.println("listening on http://127.0.0.1:" + port);
    }

    /** The text of the reply to a message, or null for none. */
    private static String textFor(Map<String, String> message) {
        String type = message.getOrDefault("MsgType", "");
        if (type.equals("text")) {
            return "你说：" + message.get("Content");
        }
        if (type.equals("event") && "subscribe".equals(message.get("Event"))) {
            return "欢迎关注！";
        }
        return null;
    }

    private void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            byte[] body = exchange.getRequestBody().readNBytes(MAX_BODY_BYTES + 1);
            Headers headers = exchange.getRequestHeaders();
            if (body.length > MAX_BODY_BYTES) {
                exchange.sendResponseHeaders(413, -1);
            } else if (!genuine(headers, body)) {
                exchange.sendResponseHeaders(401, -1);
            } else {
                answer(exchange, headers.getFirst("webhook-id"), body);
            }
        }
    }

    private void answer(HttpExchange exchange, String id, byte[] body) throws IOException {
        byte[] reply;
        try {
            reply = answerOnce(id, body);
        } catch (Exception error) {
            // Not 2xx: the proxy delivers it again later.
            System.out.println("failed " + id + " " + error);
            exchange.sendResponseHeaders(500, -1);
            return;
        }
        exchange.getResponseHeaders().set("Content-Type", "text/xml; charset=utf-8");
        exchange.sendResponseHeaders(200, reply.length == 0 ? -1 : reply.length);
        if (reply.length > 0) {
            exchange.getResponseBody().write(reply);
        }
    }

    /**
     * Checks webhook-signature: "v1,BASE64" of HMAC-SHA256 over "id.timestamp.body" with the api_key; after a rotation
     * there are two of them, and one that fits is enough.
     */
    private boolean genuine(Headers headers, byte[] body) {
        String id = headers.getFirst("webhook-id");
        String timestamp = headers.getFirst("webhook-timestamp");
        String signatures = headers.getFirst("webhook-signature");
        if (id == null || timestamp == null || signatures == null || !timestamp.matches("[0-9]{1,12}")) {
            return false;
        }
        if (Math.abs(Instant.now().getEpochSecond() - Long.parseLong(timestamp)) > TOLERANCE_SECONDS) {
            return false;
        }
        byte[] expected = ("v1," + signature(id + "." + timestamp + ".", body)).getBytes(StandardCharsets.UTF_8);
        for (String given : signatures.split(" ")) {
            if (MessageDigest.isEqual(given.getBytes(StandardCharsets.UTF_8), expected)) {
                return true;
            }
        }
        return false;
    }

    private String signature(String start, byte[] body) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(apiKey, "HmacSHA256"));
            mac.update(start.getBytes(StandardCharsets.UTF_8));
            return Base64.getEncoder().encodeToString(mac.doFinal(body));
        } catch (GeneralSecurityException error) {
            throw new IllegalStateException("every Java has HmacSHA256", error);
        }
    }

    /**
     * Answers each delivery once; a repeated one gets the answer of the first time. What takes long does not belong in
     * here, nor into the 5 seconds that WeChat waits: put it into a queue.
     */
    private synchronized byte[] answerOnce(String id, byte[] body) throws Exception {
        byte[] known = answers.get(id);
        if (known != null) {
            return known;
        }
        Map<String, String> message = read(body);
        String text = textFor(message);
        byte[] fresh = text == null ? new byte[0] : textReply(message, text).getBytes(StandardCharsets.UTF_8);
        System.out.println("handled " + id + " " + message.get("MsgType") + " " + message.getOrDefault("Event", ""));
        answers.put(id, fresh);
        return fresh;
    }

    /** The texts of the elements below the root, by name. */
    private static Map<String, String> read(byte[] body) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
        Element root = factory.newDocumentBuilder().parse(new ByteArrayInputStream(body)).getDocumentElement();
        Map<String, String> message = new HashMap<>();
        for (Node node = root.getFirstChild(); node != null; node = node.getNextSibling()) {
            if (node instanceof Element) {
                message.put(node.getNodeName(), node.getTextContent());
            }
        }
        return message;
    }

    private static String textReply(Map<String, String> message, String text) {
        return "<xml><ToUserName>" + quoted(message.get("FromUserName")) + "</ToUserName><FromUserName>"
                + quoted(message.get("ToUserName")) + "</FromUserName><CreateTime>" + Instant.now().getEpochSecond()
                + "</CreateTime><MsgType>" + quoted("text") + "</MsgType><Content>" + quoted(text) + "</Content></xml>";
    }

    /** As CDATA, which must not hold its own end. */
    private static String quoted(String text) {
        return "<![CDATA[" + text.replace("]]>", "]]]]><![CDATA[>") + "]]>";
    }
}
