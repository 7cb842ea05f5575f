<?php
// A site behind wechat-proxy's /app/KEY/auth/info: logs its visitors in with WeChat.
//
//     WECHAT_PROXY_APP=http://127.0.0.1:8080/app/KEY WECHAT_PROXY_API_KEY=wxp_… php -S 127.0.0.1:9000 backend.php
//
// or as a page of PHP-FPM, with these in its environment. SITE_URL= is where browsers find it. What must stay true: who the
// visitor is comes only from what verify() lets pass, which was signed for this site; each login counts once, and only in the
// browser that began it. It needs nothing but PHP 8.1.
declare(strict_types=1);

// How far timestamp may be from the clock, in seconds.
const TOLERANCE = 300;

// Larger than any user that WeChat describes.
const MAX_BODY_BYTES = 64 << 10;

/**
 * The members of a signed JSON body, as the texts that were signed; null when it is not genuine, or not for $origin.
 *
 * Types are not signed (0 and "0" are the same text), so only texts come out. A `&name=` in a text could make two members of
 * one, or one of two, under the same signature: the proxy sends none but in state, where it does no harm. What another site,
 * port or scheme got says nothing here, so $origin must be the one of this site, as browsers write it.
 */
function verify(string $body, string $apiKey, string $origin): ?array
{
    // An integer of more than 64 bits becomes a text, not a float.
    $members = json_decode($body, true, 8, JSON_BIGINT_AS_STRING);
    if (!is_array($members)) {
        return null;
    }
    $user = [];
    foreach ($members as $name => $value) {
        $text = signed_text($value);
        if ($text === null || !preg_match('/^[a-z][a-z0-9_]*$/D', (string) $name)) {
            return null;
        }
        if ($name !== 'state' && preg_match('/&[A-Za-z0-9_]+=/', $text) !== 0) {
            return null;
        }
        $user[$name] = $text;
    }
    $given = $user['sign'] ?? '';
    unset($user['sign']);
    // Names are ASCII; without SORT_STRING, PHP would compare some of them as numbers.
    ksort($user, SORT_STRING);
    $text = '';
    foreach ($user as $name => $value) {
        $text .= $value === '' ? '' : "$name=$value&";
    }
    $expected = strtoupper(hash_hmac('sha256', $text . "key=$apiKey", $apiKey));
    $genuine = hash_equals($expected, $given);
    return $genuine && ($user['origin'] ?? '') === $origin ? $user : null;
}

/** How a value stands in the signed text; null for what the proxy never sends. (string) true would be "1". */
function signed_text(mixed $value): ?string
{
    if (is_array($value) && array_is_list($value)) {
        $texts = array_map(fn ($item) => is_array($item) ? null : signed_text($item), $value);
        return in_array(null, $texts, true) ? null : implode(',', $texts);
    }
    return match (true) {
        $value === null => '',
        is_bool($value) => $value ? 'true' : 'false',
        is_int($value) => (string) $value,
        is_string($value) => $value,
        default => null,
    };
}

/**
 * Whether what verify() let pass is of now, and was not here before. PHP has no memory between requests: the nonces are in a
 * file, and its lock lets one request after the other. A real service keeps them in its database or cache.
 */
function first_time(string $file, array $user, int $now): bool
{
    $when = $user['timestamp'] ?? '';
    $nonce = $user['nonce'] ?? '';
    if (!preg_match('/^\d{1,12}$/D', $when) || abs($now - (int) $when) > TOLERANCE || $nonce === '') {
        return false;
    }
    $handle = fopen($file, 'c+') ?: throw new RuntimeException("cannot open $file");
    flock($handle, LOCK_EX) ?: throw new RuntimeException("cannot lock $file");
    $nonces = json_decode(stream_get_contents($handle) ?: '{}', true, flags: JSON_THROW_ON_ERROR);
    $nonces = array_filter($nonces, fn ($end) => $end >= $now);
    $first = !isset($nonces[$nonce]);
    $nonces[$nonce] ??= (int) $when + TOLERANCE;
    rewind($handle);
    ftruncate($handle, 0);
    fwrite($handle, json_encode($nonces, JSON_THROW_ON_ERROR));
    fclose($handle);
    return $first;
}

/** The user of this session, in the browser whose cookie "login" is the state that this login began with; or null. */
function user(): ?array
{
    $user = $_SESSION['user'] ?? null;
    $login = (string) ($_COOKIE['login'] ?? '');
    return $user && $login !== '' && hash_equals($user['state'] ?? '', $login) ? $user : null;
}

/** Takes what the proxy says about the visitor. */
function accept(string $apiKey, string $url): void
{
    $body = (string) file_get_contents('php://input', length: MAX_BODY_BYTES + 1);
    $user = strlen($body) > MAX_BODY_BYTES ? null : verify($body, $apiKey, $url);
    $nonces = getenv('NONCES_FILE') ?: sys_get_temp_dir() . '/wechat-login-nonces.json';
    if ($user === null || !first_time($nonces, $user, time())) {
        page(401, '登录信息无效或已过期');
    } elseif (($user['error'] ?? '') !== '') {
        // access_denied: the visitor said no.
        page(403, "没有登录: {$user['error']}");
    } else {
        // A session of another name than before: nobody can have known it.
        session_regenerate_id(true);
        $_SESSION = ['user' => $user];
        header('Location: /', true, 303);
    }
}

function login(string $app, string $url): void
{
    $state = bin2hex(random_bytes(16));
    // With HTTPS add 'secure' => true, here and below. Lax is what keeps the comparison in user() worth something.
    setcookie('login', $state, ['path' => '/', 'httponly' => true, 'samesite' => 'Lax']);
    header("Location: $app/auth/info?" . http_build_query(['call' => "$url/wechat", 'state' => $state]), true, 302);
}

function page(int $status, string $title, array $user = []): void
{
    http_response_code($status);
    header('Content-Type: text/html; charset=utf-8');
    echo '<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">';
    echo '<h1>', htmlspecialchars($title), '</h1><ul>';
    foreach ($user as $name => $text) {
        echo '<li>', htmlspecialchars($name), ': ', htmlspecialchars($text), '</li>';
    }
    echo '</ul><a href="/login">用微信登录</a>';
}

$apiKey = (string) getenv('WECHAT_PROXY_API_KEY');
if ($apiKey === '') {
    error_log("set WECHAT_PROXY_API_KEY to the app's api_key (wxp_…)");
    http_response_code(500);
    exit;
}
$app = rtrim(getenv('WECHAT_PROXY_APP') ?: 'http://127.0.0.1:8080/app/test', '/');
$url = rtrim(getenv('SITE_URL') ?: 'http://127.0.0.1:' . $_SERVER['SERVER_PORT'], '/');
umask(0077);
session_start(['name' => 'session', 'cookie_httponly' => true, 'cookie_samesite' => 'Lax', 'use_strict_mode' => true]);
$what = $_SERVER['REQUEST_METHOD'] . ' ' . parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if ($what === 'POST /wechat') {
    accept($apiKey, $url);
} elseif ($what === 'GET /login') {
    login($app, $url);
} elseif ($what !== 'GET /') {
    page(404, '没有这一页');
} elseif ($user = user()) {
    page(200, '你好, ' . (($user['nickname'] ?? '') ?: $user['openid'] ?? $user['userid'] ?? ''), $user);
} else {
    page(200, '还没有登录');
}
