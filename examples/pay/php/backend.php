<?php
// A shop behind wechat-proxy's /app/KEY/pay/qrcode and /pay/js: sells one article, and hears when it is paid.
//
//     WECHAT_PROXY_APP=http://127.0.0.1:8080/app/KEY WECHAT_PROXY_API_KEY=wxp_… php -S 127.0.0.1:9000 backend.php
//
// or as a page of PHP-FPM, with these in its environment. SITE_URL= is where browsers and the proxy find it. What must stay true:
// the price is this server's, so every link to an order is signed; an order is paid only by a delivery whose signature is right
// and whose amount is the order's; and no delivery is handled twice. It needs nothing but PHP 8.1.
declare(strict_types=1);

// What is sold, and for how much, in fen.
const ARTICLE = '例子 & Example';
const FEE = 1;

// How far webhook-timestamp may be from the clock, in seconds: an old request that somebody recorded is worth nothing.
const TOLERANCE = 300;

// Larger than any delivery of a payment.
const MAX_BODY_BYTES = 256 << 10;

// How many orders and deliveries are remembered. A real service keeps both in its database, the ids of deliveries under a unique
// key, and writes them in the transaction that does the work.
const MAX_REMEMBERED = 1000;

/**
 * A link to an order ($url is …/pay/qrcode or …/pay/js) that the proxy follows for an hour, with these parameters only.
 *
 * The signed text does not escape: what visitors choose could look like another parameter in it. Such a value is refused, here
 * as by the proxy.
 */
function sign_link(string $url, array $parameters, string $apiKey, int $now): string
{
    $texts = array_filter($parameters, fn (string $text) => $text !== '');
    unset($texts['sign']);
    $texts['timestamp'] = (string) $now;
    // Names are ASCII; without SORT_STRING, PHP would compare some of them as numbers.
    ksort($texts, SORT_STRING);
    $text = '';
    foreach ($texts as $name => $value) {
        if (!preg_match('/^[A-Za-z0-9_]+$/D', (string) $name) || preg_match('/&[A-Za-z0-9_]+=/', $value) !== 0) {
            throw new InvalidArgumentException("$name cannot be signed: it holds '&', a name and '='");
        }
        $text .= "$name=$value&";
    }
    $texts['sign'] = strtoupper(hash_hmac('sha256', $text . "key=$apiKey", $apiKey));
    return "$url?" . http_build_query($texts);
}

/**
 * Whether the proxy sent this: $signatures is "v1,BASE64" of HMAC-SHA256 over "id.timestamp.body" with the api_key. After a
 * rotation of the api_key there are two of them, and one that fits is enough.
 */
function genuine(string $apiKey, string $id, string $timestamp, string $signatures, string $body, int $now): bool
{
    if ($id === '' || !preg_match('/^\d{1,12}$/D', $timestamp) || abs($now - (int) $timestamp) > TOLERANCE) {
        return false;
    }
    $expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $apiKey, true));
    foreach (explode(' ', $signatures) as $given) {
        if (hash_equals($expected, $given)) {
            return true;
        }
    }
    return false;
}

/**
 * Changes what is remembered. PHP has no memory between requests: orders and the ids of deliveries are in a file, and its lock
 * lets one request after the other. What $change throws leaves the file as it was.
 */
function remembered(callable $change): mixed
{
    // Not beside this program, where a web server might show it; and for nobody else to read.
    umask(0077);
    $file = getenv('ORDERS_FILE') ?: sys_get_temp_dir() . '/wechat-pay-orders.json';
    $handle = fopen($file, 'c+') ?: throw new RuntimeException("cannot open $file");
    flock($handle, LOCK_EX) ?: throw new RuntimeException("cannot lock $file");
    $all = json_decode(stream_get_contents($handle) ?: '{}', true, flags: JSON_THROW_ON_ERROR) + ['orders' => [], 'seen' => []];
    $answer = $change($all['orders'], $all['seen']);
    $all = array_map(fn (array $kept) => array_slice($kept, -MAX_REMEMBERED, preserve_keys: true), $all);
    rewind($handle);
    ftruncate($handle, 0);
    fwrite($handle, json_encode($all, JSON_THROW_ON_ERROR));
    fclose($handle);
    return $answer;
}

/** The number of a new order. It is remembered before anybody can pay it. */
function place(int $fee): string
{
    $number = 'N' . date('Ymd') . bin2hex(random_bytes(11));
    remembered(function (array &$orders) use ($number, $fee): void {
        $orders[$number] = ['fee' => $fee, 'state' => 'unpaid'];
    });
    return $number;
}

/** unpaid, paid or refunded; null for an order that is not known. */
function state(string $number): ?string
{
    return remembered(fn (array &$orders) => $orders[$number]['state'] ?? null);
}

/** Takes what genuine() let pass, once. Throws when it cannot be handled: then it is delivered again later. */
function take(string $id, string $body): void
{
    remembered(function (array &$orders, array &$seen) use ($id, $body): void {
        if (isset($seen[$id])) {
            return;
        }
        $event = json_decode($body, true, flags: JSON_THROW_ON_ERROR);
        $number = $event['out_trade_no'];
        $order = $orders[$number] ?? throw new RuntimeException("no order $number");
        // The total of the order, which WeChat tells with every event; cash_fee is less when a coupon paid a part.
        if ($event['total_fee'] !== $order['fee']) {
            throw new RuntimeException("{$event['total_fee']} fen for an order of {$order['fee']}");
        }
        if ($event['event_type'] === 'TRANSACTION.SUCCESS' && $order['state'] === 'unpaid') {
            // Here the goods are handed out. What takes long belongs into a queue.
            $orders[$number]['state'] = 'paid';
        } elseif ($event['event_type'] === 'REFUND.SUCCESS') {
            $orders[$number]['state'] = 'refunded';
        }
        // REFUND.CLOSED: no money went back; REFUND.ABNORMAL: the payer's bank refused, somebody has to see to it.
        error_log("handled $id {$event['event_type']} $number");
        $seen[$id] = true;
    });
}

/** A new order, and the link to it: what a page in WeChat asks for, or a picture to be scanned. */
function offer(string $app, string $url, string $apiKey): void
{
    // In WeChat, who pays is in the session of a login (examples/login). Whoever it names, only he can pay.
    $openid = is_string($_GET['openid'] ?? null) ? $_GET['openid'] : '';
    $number = place(FEE);
    $order = ['out_trade_no' => $number, 'fee' => (string) FEE, 'name' => ARTICLE, 'call' => "$url/paid", 'openid' => $openid];
    try {
        $link = sign_link($app . ($openid === '' ? '/pay/qrcode' : '/pay/js'), $order, $apiKey, time());
    } catch (InvalidArgumentException) {
        respond(400, 'openid 不对');
        return;
    }
    $link = htmlspecialchars($link);
    $way = $openid === '' ? "<img src=\"$link\" alt=\"用微信扫码付款\">" : "<button data-order=\"$link\">在微信里付款</button>";
    $price = sprintf('%.2f', FEE / 100);
    $page = strtr(PAGE, ['{article}' => htmlspecialchars(ARTICLE), '{fee}' => $price, '{number}' => $number, '{way}' => $way]);
    respond(200, $page, 'text/html; charset=utf-8');
}

/** Takes a delivery. */
function accept(string $apiKey): void
{
    $body = (string) file_get_contents('php://input', length: MAX_BODY_BYTES + 1);
    $id = $_SERVER['HTTP_WEBHOOK_ID'] ?? '';
    $timestamp = $_SERVER['HTTP_WEBHOOK_TIMESTAMP'] ?? '';
    $signatures = $_SERVER['HTTP_WEBHOOK_SIGNATURE'] ?? '';
    if (strlen($body) > MAX_BODY_BYTES || !genuine($apiKey, $id, $timestamp, $signatures, $body, time())) {
        respond(401, '');
        return;
    }
    try {
        take($id, $body);
        respond(200, '');
    } catch (Throwable $error) {
        // Not 2xx: the proxy delivers it again later, and keeps it where operators find it.
        error_log("failed $id " . $error->getMessage());
        respond(500, '');
    }
}

function respond(int $status, string $text, string $type = 'text/plain; charset=utf-8'): void
{
    http_response_code($status);
    header("Content-Type: $type");
    header('Cache-Control: no-store');
    echo $text;
}

// What the phone says (result) is for display. Whether it is paid, this server knows from the delivery.
const PAGE = <<<'HTML'
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
    HTML;

$apiKey = (string) getenv('WECHAT_PROXY_API_KEY');
if ($apiKey === '') {
    error_log("set WECHAT_PROXY_API_KEY to the app's api_key (wxp_…)");
    http_response_code(500);
    exit;
}
$app = rtrim(getenv('WECHAT_PROXY_APP') ?: 'http://127.0.0.1:8080/app/test', '/');
$url = rtrim(getenv('SITE_URL') ?: 'http://127.0.0.1:' . $_SERVER['SERVER_PORT'], '/');
$path = (string) parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$what = "{$_SERVER['REQUEST_METHOD']} $path";
if ($what === 'POST /paid') {
    accept($apiKey);
} elseif ($what === 'GET /') {
    offer($app, $url, $apiKey);
} elseif (str_starts_with($what, 'GET /orders/')) {
    $state = state(substr($path, strlen('/orders/')));
    respond($state === null ? 404 : 200, $state ?? '没有这个订单');
} else {
    respond(404, '没有这一页');
}
