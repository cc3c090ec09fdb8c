// ScanGate from Java 17 or newer, with Gson (https://github.com/google/gson) to read and write JSON.
//
//   java -cp gson.jar ScanGate.java order p1      place an order of 21.00 HKD and print where it is paid
//   java -cp gson.jar ScanGate.java query p1      how it stands
//   java -cp gson.jar ScanGate.java notice 9000   take notices at http://127.0.0.1:9000/notify
//   java -cp gson.jar ScanGate.java sign FILE…    the signature of each file's bytes
//
// Who you are is in the environment: SHOP_BASE_URL, SHOP_PARTNER_NO, SHOP_STORE_NO, SHOP_SIGN_KEY and, for orders
// whose payment is to be told, SHOP_NOTIFY_URL.

import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.UUID;
import java.util.regex.Pattern;

public class ScanGate {
    static String setting(String name) {
        String value = System.getenv("SHOP_" + name);
        if (value == null) {
            throw new IllegalStateException("SHOP_" + name + " is not set");
        }
        return value;
    }

    // region sign
    /** Lower-case hex of SHA-256 over the text and, behind it, the sign key. */
    static String sign(byte[] text) {
        try {
            MessageDigest hash = MessageDigest.getInstance("SHA-256");
            hash.update(text);
            return HexFormat.of().formatHex(hash.digest(setting("SIGN_KEY").getBytes(UTF_8)));
        } catch (NoSuchAlgorithmException error) {
            throw new AssertionError("every Java has SHA-256", error);
        }
    }

    /** A request as it travels. What is signed is the very text that is sent. */
    static String seal(JsonObject body) {
        JsonObject header = new JsonObject();
        header.addProperty("version", "1.0");
        header.addProperty("partnerNo", setting("PARTNER_NO"));
        header.addProperty("reqMsgId", UUID.randomUUID().toString());
        header.addProperty("reqTime", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        header.addProperty("signType", "SHA256");
        JsonObject request = new JsonObject();
        request.add("header", header);
        request.add("body", body);
        String text = request.toString();
        return "{\"request\":" + text + ",\"signature\":\"" + sign(text.getBytes(UTF_8)) + "\"}";
    }
    // endregion

    // region verify
    static final Pattern FORM =
            Pattern.compile("\\{\"response\":(.*),\"signature\":\"([0-9a-f]{64})\"\\}", Pattern.DOTALL);

    /** The body of an answer or a notice, if it is signed with our key. */
    static JsonObject unseal(String document) {
        var found = FORM.matcher(document);
        if (!found.matches()
                || !MessageDigest.isEqual(
                        sign(found.group(1).getBytes(UTF_8)).getBytes(UTF_8), found.group(2).getBytes(UTF_8))) {
            throw new SecurityException("this is not signed with our key");
        }
        return JsonParser.parseString(found.group(1)).getAsJsonObject().getAsJsonObject("body");
    }
    // endregion

    // region call
    /**
     * Send one request; the answer's body, whatever its code says. An exception means that there is no answer: query
     * the order before anything else.
     */
    static JsonObject call(String path, JsonObject body) throws IOException, InterruptedException {
        HttpRequest request =
                HttpRequest.newBuilder(URI.create(setting("BASE_URL") + path))
                        .header("Content-Type", "application/json")
                        .timeout(Duration.ofSeconds(45))
                        .POST(HttpRequest.BodyPublishers.ofString(seal(body), UTF_8))
                        .build();
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        return unseal(client.send(request, HttpResponse.BodyHandlers.ofString(UTF_8)).body());
    }
    // endregion

    // region order
    static JsonObject order(String number) throws IOException, InterruptedException {
        JsonObject order = new JsonObject();
        order.addProperty("storeNo", setting("STORE_NO"));
        order.addProperty("partnerOrderNo", number);
        order.addProperty("wallet", "Alipay");
        order.addProperty("currency", "HKD");
        order.addProperty("orderAmount", 2100); // 21.00 HKD
        order.addProperty("orderTitle", "拉麵 & café");
        String notifyUrl = System.getenv("SHOP_NOTIFY_URL");
        if (notifyUrl != null) {
            order.addProperty("notifyUrl", notifyUrl);
        }
        return call("/api/offline/qrcode", order);
    }

    static JsonObject query(String number) throws IOException, InterruptedException {
        JsonObject which = new JsonObject();
        which.addProperty("partnerOrderNo", number);
        return call("/api/common/payQuery", which);
    }
    // endregion

    // region notice
    static void notice(HttpExchange exchange) throws IOException {
        String document = new String(exchange.getRequestBody().readAllBytes(), UTF_8);
        try {
            JsonObject paid = unseal(document);
            // Compare amount and currency with the order in your books, and mark it paid once: the same notice may
            // come again. Say `success` only when that is stored.
            System.out.println(
                    "paid " + paid.get("partnerOrderNo").getAsString() + " " + paid.get("orderAmount").getAsLong()
                            + " " + paid.get("currency").getAsString());
            reply(exchange, 200, "success");
        } catch (SecurityException error) {
            reply(exchange, 400, "not ours");
        }
    }

    static void reply(HttpExchange exchange, int status, String text) throws IOException {
        exchange.getResponseHeaders().set("Content-Type", "text/plain");
        exchange.sendResponseHeaders(status, text.length());
        exchange.getResponseBody().write(text.getBytes(UTF_8));
        exchange.close();
    }
    // endregion

    static void show(JsonObject body, String field) {
        if (body.get("code").getAsInt() != 1) {
            System.err.println("code " + body.get("code") + ": " + body.get("msg").getAsString());
            System.exit(1);
        }
        System.out.println(field + " " + body.get(field).getAsString());
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments.length < 2) {
            System.err.println("order NUMBER, query NUMBER, notice PORT or sign FILE…");
            System.exit(2);
        }
        switch (arguments[0]) {
            case "order" -> show(order(arguments[1]), "payUrl");
            case "query" -> show(query(arguments[1]), "status");
            case "notice" -> {
                var address = new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[1]));
                HttpServer server = HttpServer.create(address, 0);
                server.createContext("/", ScanGate::notice);
                server.start();
            }
            case "sign" -> {
                for (String file : Arrays.asList(arguments).subList(1, arguments.length)) {
                    System.out.println(sign(Files.readAllBytes(Path.of(file))));
                }
            }
            default -> throw new IllegalArgumentException("there is no command " + arguments[0]);
        }
    }
}
