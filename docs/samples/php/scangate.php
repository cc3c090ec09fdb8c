<?php
/*
 * ScanGate from PHP 7.4 or newer, with nothing but its standard library.
 *
 *   php scangate.php order p1            place an order of 21.00 HKD and print where it is paid
 *   php scangate.php query p1            how it stands
 *   php -S 127.0.0.1:9000 scangate.php   take notices at http://127.0.0.1:9000/notify
 *   php scangate.php sign FILE…          the signature of each file's bytes
 *
 * Who you are is in the environment: SHOP_BASE_URL, SHOP_PARTNER_NO, SHOP_STORE_NO, SHOP_SIGN_KEY and, for
 * orders whose payment is to be told, SHOP_NOTIFY_URL.
 */
declare(strict_types=1);

function setting(string $name): string
{
    $value = getenv("SHOP_$name");
    if ($value === false) {
        throw new RuntimeException("SHOP_$name is not set");
    }
    return $value;
}

// region sign
/** Lower-case hex of SHA-256 over the text and, behind it, the sign key. */
function sign(string $text): string
{
    return hash('sha256', $text . setting('SIGN_KEY'));
}

/** A request as it travels. What is signed is the very text that is sent. */
function seal(array $body): string
{
    $header = [
        'version' => '1.0',
        'partnerNo' => setting('PARTNER_NO'),
        'reqMsgId' => bin2hex(random_bytes(16)),
        'reqTime' => date(DATE_RFC3339),
        'signType' => 'SHA256',
    ];
    $text = json_encode(['header' => $header, 'body' => $body], JSON_THROW_ON_ERROR);
    return '{"request":' . $text . ',"signature":"' . sign($text) . '"}';
}
// endregion

// region verify
/** The body of an answer or a notice, if it is signed with our key. */
function unseal(string $document): array
{
    $form = '/\A\{"response":(.*),"signature":"([0-9a-f]{64})"\}\z/s';
    if (!preg_match($form, $document, $found) || !hash_equals(sign($found[1]), $found[2])) {
        throw new RuntimeException('this is not signed with our key');
    }
    return json_decode($found[1], true, 32, JSON_THROW_ON_ERROR)['body'];
}
// endregion

// region call
/** Send one request; the answer's body, whatever its code says. */
function call(string $path, array $body): array
{
    $context = stream_context_create(['http' => [
        'method' => 'POST',
        'header' => 'Content-Type: application/json',
        'content' => seal($body),
        'timeout' => 45,
    ]]);
    $document = file_get_contents(setting('BASE_URL') . $path, false, $context);
    if ($document === false) {
        throw new RuntimeException('no answer: query the order before anything else');
    }
    return unseal($document);
}
// endregion

// region order
function order(string $number): array
{
    $order = [
        'storeNo' => setting('STORE_NO'),
        'partnerOrderNo' => $number,
        'wallet' => 'Alipay',
        'currency' => 'HKD',
        'orderAmount' => 2100, // 21.00 HKD
        'orderTitle' => '拉麵 & café',
    ];
    if (getenv('SHOP_NOTIFY_URL') !== false) {
        $order['notifyUrl'] = getenv('SHOP_NOTIFY_URL');
    }
    return call('/api/offline/qrcode', $order);
}

function query(string $number): array
{
    return call('/api/common/payQuery', ['partnerOrderNo' => $number]);
}
// endregion

// region notice
/**
 * Answer a notice. Compare amount and currency with the order in your books, and mark it paid once: the same
 * notice may come again. Say `success` only when that is stored.
 */
function notice(string $document): void
{
    header('Content-Type: text/plain');
    try {
        $paid = unseal($document);
    } catch (Exception $error) {
        http_response_code(400);
        echo 'not ours';
        return;
    }
    file_put_contents('php://stdout', "paid {$paid['partnerOrderNo']} {$paid['orderAmount']} {$paid['currency']}\n");
    echo 'success';
}
// endregion

function show(array $body, string $field): void
{
    if ($body['code'] !== 1) {
        echo "code {$body['code']}: {$body['msg']}\n";
        exit(1);
    }
    echo "$field {$body[$field]}\n";
}

if (PHP_SAPI === 'cli-server') {
    notice(file_get_contents('php://input'));
    return;
}
[$command, $rest] = [$argv[1] ?? '', array_slice($argv, 2)];
if ($command === 'order' && count($rest) === 1) {
    show(order($rest[0]), 'payUrl');
} elseif ($command === 'query' && count($rest) === 1) {
    show(query($rest[0]), 'status');
} elseif ($command === 'sign' && $rest) {
    foreach ($rest as $file) {
        echo sign(file_get_contents($file)), "\n";
    }
} else {
    echo "order NUMBER, query NUMBER or sign FILE…\n";
    exit(2);
}
