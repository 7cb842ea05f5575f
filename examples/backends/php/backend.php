<?php
// A backend behind wechat-proxy's /app/KEY/msg/json: says a user's text back, welcomes who follows.
//
//     WECHAT_PROXY_API_KEY=wxp_… php -S 127.0.0.1:9000 backend.php
//
// or as a page of PHP-FPM, with the api_key in its environment. What must stay true: nothing is looked at before its
// signature is verified, and no delivery is handled twice. It needs nothing but PHP 8; genuine() does what verify() of
// the Composer package standard-webhooks/standard-webhooks does.
declare(strict_types=1);

// How many deliveries are remembered. A real service keeps their ids in its database, under a unique key, and writes them in
// the transaction that does the work. Deliveries come again for up to about two days.
const MAX_REMEMBERED = 1000;

// How far webhook-timestamp may be from the clock, in seconds: an old request that somebody recorded is worth nothing.
const TOLERANCE = 300;

/** The reply to a message, or null for none. Who it goes to and when is filled in by the proxy. */
function answer(array $message): ?array
{
    $type = $message['MsgType'] ?? '';
    if ($type === 'text') {
        return ['MsgType' => 'text', 'Content' => '你说：' . $message['Content']];
    }
    if ($type === 'event' && ($message['Event'] ?? '') === 'subscribe') {
        return ['MsgType' => 'text', 'Content' => '欢迎关注！'];
    }
    return null;
}

/**
 * Checks webhook-signature: "v1,BASE64" of HMAC-SHA256 over "id.timestamp.body" with the api_key; after a rotation there
 * are two of them, and one that fits is enough.
 */
function genuine(string $apiKey, string $id, string $timestamp, string $signatures, string $body): bool
{
    if ($id === '' || !ctype_digit($timestamp) || abs(time() - (int) $timestamp) > TOLERANCE) {
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
 * Answers each delivery once; a repeated one gets the answer of the first time. PHP has no memory between requests: the
 * answers are in a file, and its lock lets one request after the other. Throws when the message cannot be handled.
 */
function answer_once(string $file, string $id, string $body): string
{
    $handle = fopen($file, 'c+') ?: throw new RuntimeException("cannot open $file");
    flock($handle, LOCK_EX) ?: throw new RuntimeException("cannot lock $file");
    $answers = json_decode(stream_get_contents($handle) ?: '{}', true, flags: JSON_THROW_ON_ERROR);
    if (!isset($answers[$id])) {
        // MsgId has 64 bits. PHP's integers have them too, unless it is a 32-bit one: then it becomes a string, not a float.
        $message = json_decode($body, true, flags: JSON_THROW_ON_ERROR | JSON_BIGINT_AS_STRING);
        $reply = answer($message);
        $answers[$id] = $reply === null ? '' : json_encode($reply, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE);
        $answers = array_slice($answers, -MAX_REMEMBERED, preserve_keys: true);
        rewind($handle);
        ftruncate($handle, 0);
        fwrite($handle, json_encode($answers, JSON_THROW_ON_ERROR));
        error_log(trim("handled $id " . ($message['MsgType'] ?? '') . ' ' . ($message['Event'] ?? '')));
    }
    fclose($handle);
    return $answers[$id];
}

$apiKey = (string) getenv('WECHAT_PROXY_API_KEY');
$id = $_SERVER['HTTP_WEBHOOK_ID'] ?? '';
$body = (string) file_get_contents('php://input');
if ($apiKey === '') {
    error_log("set WECHAT_PROXY_API_KEY to the app's api_key (wxp_…)");
    http_response_code(500);
    exit;
}
if (!genuine($apiKey, $id, $_SERVER['HTTP_WEBHOOK_TIMESTAMP'] ?? '', $_SERVER['HTTP_WEBHOOK_SIGNATURE'] ?? '', $body)) {
    http_response_code(401);
    exit;
}
try {
    // Not beside this file, where a web server might show it; and for nobody else to read.
    umask(0077);
    $reply = answer_once(getenv('ANSWERS_FILE') ?: sys_get_temp_dir() . '/wechat-backend-answers.json', $id, $body);
    header('Content-Type: application/json; charset=utf-8');
    echo $reply;
} catch (Throwable $error) {
    // Not 2xx: the proxy delivers it again later.
    error_log("failed $id " . $error->getMessage());
    http_response_code(500);
}
