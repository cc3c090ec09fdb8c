#!/bin/sh
# ScanGate from a shell, with curl and openssl.
#
#   sh scangate.sh order p1      place an order of 21.00 HKD and print where it is paid
#   sh scangate.sh query p1      how it stands
#   sh scangate.sh notice        take one notice as a CGI program, called by a web server
#   sh scangate.sh sign FILE…    the signature of each file's bytes
#
# Who you are is in the environment: SHOP_BASE_URL, SHOP_PARTNER_NO, SHOP_STORE_NO, SHOP_SIGN_KEY and, for orders
# whose payment is to be told, SHOP_NOTIFY_URL.
set -eu

# region sign
# Lower-case hex of SHA-256 over what comes in and, behind it, the sign key.
sign() {
    { cat && printf %s "$SHOP_SIGN_KEY"; } | openssl dgst -sha256 -r | cut -c 1-64
}

# seal BODY: a request as it travels. What is signed is the very text that is sent, with no newline behind it.
seal() {
    header='{"version":"1.0","partnerNo":"'$SHOP_PARTNER_NO'","reqMsgId":"'$(openssl rand -hex 16)'",'
    header=$header'"reqTime":"'$(date -u +%Y-%m-%dT%H:%M:%SZ)'","signType":"SHA256"}'
    text='{"header":'$header',"body":'$1'}'
    printf '{"request":%s,"signature":"%s"}' "$text" "$(printf %s "$text" | sign)"
}
# endregion

# region verify
# unseal DOCUMENT: the body of an answer or a notice, if it is signed with our key.
unseal() {
    text=${1#'{"response":'}
    text=${text%',"signature":"'*}
    signature=$(printf %s "$text" | sign)
    if [ "$1" != '{"response":'"$text"',"signature":"'"$signature"'"}' ]; then
        echo "this is not signed with our key" >&2
        return 1
    fi
    text=${text#*'"body":'}
    printf %s "${text%'}'}"
}

# field NAME BODY: one of its values. Good for numbers and addresses; for texts take a JSON parser such as jq.
field() {
    printf %s "$2" | sed -n 's/.*"'"$1"'":"\{0,1\}\([^",}]*\).*/\1/p'
}
# endregion

# region call
# call PATH BODY: send one request and print the answer's body, whatever its code says.
call() {
    document=$(seal "$2" | curl --silent --show-error --max-time 45 --header 'Content-Type: application/json' \
        --data-binary @- "$SHOP_BASE_URL$1") || {
        echo "no answer: query the order before anything else" >&2
        return 1
    }
    unseal "$document"
}
# endregion

# region order
order() {
    body='{"storeNo":"'$SHOP_STORE_NO'","partnerOrderNo":"'$1'","wallet":"Alipay","currency":"HKD",'
    body=$body'"orderAmount":2100,"orderTitle":"拉麵 & café"' # 21.00 HKD
    if [ -n "${SHOP_NOTIFY_URL-}" ]; then
        body=$body',"notifyUrl":"'$SHOP_NOTIFY_URL'"'
    fi
    call /api/offline/qrcode "$body}"
}

query() {
    call /api/common/payQuery '{"partnerOrderNo":"'"$1"'"}'
}
# endregion

# region notice
# Compare amount and currency with the order in your books, and mark it paid once: the same notice may come again.
# Say `success` only when that is stored.
notice() {
    document=$(cat)
    if body=$(unseal "$document"); then
        echo "paid $(field partnerOrderNo "$body") $(field orderAmount "$body") $(field currency "$body")" >&2
        printf 'Content-Type: text/plain\r\n\r\nsuccess'
    else
        printf 'Status: 400 Bad Request\r\nContent-Type: text/plain\r\n\r\nnot ours'
    fi
}
# endregion

# show FIELD BODY
show() {
    if [ "$(field code "$2")" != 1 ]; then
        echo "code $(field code "$2"): $(field msg "$2")" >&2
        exit 1
    fi
    echo "$1 $(field "$1" "$2")"
}

case ${1-} in
order)
    body=$(order "$2")
    show payUrl "$body"
    ;;
query)
    body=$(query "$2")
    show status "$body"
    ;;
notice) notice ;;
sign)
    shift
    for file in "$@"; do
        sign <"$file"
    done
    ;;
*)
    echo "order NUMBER, query NUMBER, notice or sign FILE…" >&2
    exit 2
    ;;
esac
