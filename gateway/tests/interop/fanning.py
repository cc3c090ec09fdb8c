"""Checks: what a registered endpoint is told, verified as Standard Webhooks says and by nothing of ours."""

import time

import webhooks
from checks import check


def registered(stage, receiver, **settings):
    """A verified endpoint of the merchant's, with its secret."""
    merchant = stage.rest("GET", "/v1/merchants")["data"][0]["id"]
    wanted = {"merchantId": merchant, "url": receiver.url, "schedule": ["1s", "1s"], **settings}
    made = stage.rest("POST", "/v1/endpoints", wanted)
    assert made["status"] == "unproven", made
    verified = stage.rest("POST", f"/v1/endpoints/{made['id']}/verify")
    assert verified["status"] == "active", verified
    return made


@check
def an_event_verifies_with_the_secret_and_with_the_key_pair(stage):
    receiver = webhooks.Receiver()
    endpoint = registered(stage, receiver, keyPair=True, headers={"X-Shop": "7"})
    try:
        secret, public = endpoint["secret"]["secret"], endpoint["publicKey"]
        body, order = stage.open(orderTitle="拉麵 / 🍜")
        stage.pay(body, order)
        [told] = receiver.wait_events(body["partnerOrderNo"])
        for one in [*receiver.challenges, told]:
            assert webhooks.verifies(secret, one.headers, one.raw), one.headers
            assert webhooks.verifies_with_public_key(public, one.headers, one.raw), one.headers
            assert not webhooks.verifies(secret, one.headers, one.raw + b" ")
            assert not webhooks.verifies_with_public_key(public, one.headers, one.raw + b" ")
            assert abs(time.time() - int(one.headers["webhook-timestamp"])) < webhooks.TOLERANCE
            assert one.headers["x-shop"] == "7"
        assert told.headers["webhook-id"] == told.body["id"], told.headers
        assert (told.body["type"], told.body["order"]["paidAmount"]) == ("order.paid", 2100), told.body
    finally:
        stage.rest("DELETE", f"/v1/endpoints/{endpoint['id']}")
        receiver.stop()


@check
def an_event_that_is_not_taken_comes_again_under_its_id_and_a_new_secret_signs_beside_the_old(stage):
    receiver = webhooks.Receiver()
    endpoint = registered(stage, receiver, eventTypes=["order.paid"])
    try:
        old = endpoint["secret"]["secret"]
        new = stage.rest("POST", f"/v1/endpoints/{endpoint['id']}/secrets", {})["secret"]["secret"]
        receiver.refuse = 1
        body, order = stage.open()
        stage.pay(body, order)
        told = receiver.wait_events(body["partnerOrderNo"], 2)
        assert {one.headers["webhook-id"] for one in told} == {told[0].body["id"]}, told
        assert old != new
        for one in told:
            assert webhooks.verifies(old, one.headers, one.raw) and webhooks.verifies(new, one.headers, one.raw)
    finally:
        stage.rest("DELETE", f"/v1/endpoints/{endpoint['id']}")
        receiver.stop()
