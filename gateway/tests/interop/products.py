"""Checks: the payment products beside the web QR code. Each takes its column of the create table, and is answered in its
own way."""

import rules
from checks import check, refused, well_formed

ONLINE, TRANSACTION_QR, BARCODE, JSPAY = rules.PRODUCTS[1:]
SCANNED = "284447106610060508"
# Something right for each field.
VALUES = {
    "wallet": "Alipay",
    "barcode": SCANNED,
    "currency": "HKD",
    "orderAmount": 2100,
    "goodsAmount": 2000,
    "goodsExtraAmount": 100,
    "orderTitle": "Tea",
    "operatorId": "7",
    "terminalNo": "T1",
    "it_b_pay": "5m",
}


def body_of(stage, path, **changes):
    """An order by this product, with all fields that it has."""
    column = rules.PRODUCTS.index(path)
    whole = stage.order() | VALUES | changes
    return {name: value for name, value in whole.items() if rules.CREATE.get(name, (None, "NNNNN"))[1][column] != "-"}


def status_of(stage, body):
    return stage.client.query({"partnerOrderNo": body["partnerOrderNo"]})


@check
def a_page_is_opened_by_each_product_that_has_one(stage):
    for path in (ONLINE, JSPAY):
        body = body_of(stage, path)
        answer = stage.client.create(body, path)
        well_formed(answer)
        assert answer.code == 1, answer
        order = stage.upstream.order_behind(answer.body["payUrl"])
        assert stage.upstream.creates()[-1].path == path
        assert stage.client.create(body, path).body == answer.body, "again"
        stage.pay(body, order)
        assert status_of(stage, body).body["status"] == 1


@check
def a_transaction_code_is_handed_on_and_paid(stage):
    body = body_of(stage, TRANSACTION_QR)
    answer = stage.client.create(body, TRANSACTION_QR)
    well_formed(answer)
    assert answer.code == 1 and "payUrl" not in answer.body, answer
    order = stage.upstream.order_behind(answer.body["qrCode"])
    assert order.body["it_b_pay"] == "5m", order.body
    assert answer.body["orderNo"] == order.order_no, answer
    stage.pay(body, order)


@check
def a_product_is_given_its_own_fields_and_no_others(stage):
    for path in rules.PRODUCTS:
        # Everything that any product has; what is not its own is left out, and the upstream would list it.
        column = rules.PRODUCTS.index(path)
        answer = stage.client.create(stage.order() | VALUES, path)
        assert answer.code == 1, answer
        sent = stage.upstream.creates()[-1].body
        expected = {name for name, (_, needs) in rules.CREATE.items() if needs[column] != "-"}
        assert expected == set(sent) & set(rules.CREATE), f"{path}: {sorted(sent)}"
        if path == BARCODE:
            stage.paid.append(answer.body["partnerOrderNo"])
        for name in (name for name, (_, needs) in rules.CREATE.items() if needs[column] == "Y"):
            body = body_of(stage, path)
            del body[name]
            refused(stage.client.create(body, path), 4)
    refused(stage.client.create(body_of(stage, ONLINE, wallet="Wechat"), ONLINE), 5)
    refused(stage.client.create(body_of(stage, TRANSACTION_QR, it_b_pay="16d"), TRANSACTION_QR), 5)


@check
def a_scanned_code_is_paid_at_once_and_the_shop_is_told(stage):
    body = body_of(stage, BARCODE)
    answer = stage.client.create(body, BARCODE)
    well_formed(answer)
    found = {name: answer.body.get(name) for name in ("code", "status", "orderAmount", "currency", "wallet")}
    assert found == {"code": 1, "status": 1, "orderAmount": 2100, "currency": "HKD", "wallet": "Alipay"}, answer
    assert answer.body["partnerOrderNo"] == body["partnerOrderNo"], answer
    stage.paid.append(body["partnerOrderNo"])
    stage.shop.wait_told(body["partnerOrderNo"])
    before = len(stage.upstream.creates())
    assert stage.client.create(body, BARCODE).body == answer.body, "again"
    assert len(stage.upstream.creates()) == before


@check
def a_scanned_code_that_is_declined_has_failed(stage):
    stage.upstream.set_scan("declines")
    body = body_of(stage, BARCODE)
    for _ in range(2):
        answer = stage.client.create(body, BARCODE)
        well_formed(answer)
        assert (answer.code, answer.body["status"]) == (1, 2), answer
    assert status_of(stage, body).body["status"] == 2


@check
def a_payer_who_types_a_pin_is_never_charged_twice(stage):
    for outcome, told in (("waits", (1, 0)), ("waits silently", (21, None))):
        stage.upstream.set_scan(outcome)
        body = body_of(stage, BARCODE)
        answer = stage.client.create(body, BARCODE)
        well_formed(answer)
        assert (answer.code, answer.body.get("status")) == told, answer
        before = len(stage.upstream.creates())
        stage.upstream.set_scan("pays")
        again = stage.client.create(body, BARCODE)
        assert again.code in (1, 21) and again.body.get("status") != 1, again
        refused(stage.client.create(body | {"barcode": "284447106610060509"}, BARCODE), 31)
        assert len(stage.upstream.creates()) == before
        stage.pay(body, stage.upstream.order_numbered(stage.upstream.creates()[-1].number))
        answer = stage.client.create(body, BARCODE)
        assert (answer.code, answer.body["status"]) == (1, 1), answer


@check
def a_barcode_whose_answer_was_lost_is_asked_about_and_never_sent_again(stage):
    stage.upstream.set_fault("hang-up")
    body = body_of(stage, BARCODE)
    answer = stage.client.create(body, BARCODE)
    well_formed(answer)
    assert answer.code == 21, answer
    before = len(stage.upstream.creates())
    stage.paid.append(body["partnerOrderNo"])
    answer = stage.client.create(body, BARCODE)
    assert (answer.code, answer.body["status"]) == (1, 1), answer
    assert len(stage.upstream.creates()) == before
    stage.shop.wait_told(body["partnerOrderNo"])
