"""Everything a check needs: upstream and shop as threads, and the gateway's binary between them in a folder of its own."""

import itertools
import json
import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import client
import shop
import upstream
import web

# Numbers of the two sides that share no digits run: whatever passes through can be searched for them.
ACCOUNT_NO = "990077001990077"
UPSTREAM_STORE = "990077001000002"
MERCHANT_NO = "880055002880055"
MERCHANT_STORE = "880055002000001"
ACCOUNT_KEY = "5d0c" * 16
MERCHANT_KEY = "7b1e" * 16
PLATFORM = "interop"


class Stage:
    """`client` reaches what is under test: the gateway, or (without a binary) the upstream itself."""

    def __init__(self):
        self.shop = shop.Shop(MERCHANT_KEY)
        self.upstream = upstream.Upstream(ACCOUNT_NO, ACCOUNT_KEY, [UPSTREAM_STORE])
        self.counter = itertools.count(1)
        self.paid = []
        self.gateway = None
        self.client = None

    def between(self, binary):
        """Start the gateway and put the client in front of it."""
        self.gateway = Gateway(binary, self.upstream.url)
        self.client = client.Client(f"{self.gateway.url}/{PLATFORM}", MERCHANT_NO, MERCHANT_KEY, MERCHANT_STORE)

    def number(self):
        """An order number of the merchant's, never used before."""
        return f"shop-order-{next(self.counter):06d}"

    def order(self, number=None, amount=2100, **changes):
        """The body of an order that asks to be told and to be returned."""
        urls = {"notifyUrl": self.shop.notify_url, "returnUrl": self.shop.return_url}
        return self.client.order(number or self.number(), amount, **(urls | changes))

    def open(self, **changes):
        """Place an order; returns its body, and the order as the upstream has it."""
        body = self.order(**changes)
        answer = self.client.create(body)
        assert answer.code == 1 and answer.verified, answer
        return body, self.upstream.order_behind(answer.body["payUrl"])

    def pay(self, body, order, style=None):
        """Pay, and wait until the shop was told; returns what the shop got."""
        self.paid.append(body["partnerOrderNo"])
        acknowledged(self.upstream.pay(order, style))
        return self.shop.wait_told(body["partnerOrderNo"])

    def rest(self, method, path, body=None):
        """A call of the REST API with the platform's key; returns what it answers."""
        raw = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.gateway.api_key}", "Content-Type": "application/json"}
        reply = web.exchange(method, self.gateway.url + path, raw, headers)
        assert reply.status in (200, 201), f"{method} {path} answered {reply.status} {reply.raw!r}"
        return json.loads(reply.raw)

    def after_a_later_delivery(self):
        """Come back when an order placed and paid from now on has been told: what was to be sent before then was sent."""
        self.pay(*self.open())

    def reset(self):
        self.upstream.release()
        self.upstream.set_style("compact")
        self.upstream.set_fault(None)
        self.upstream.set_scan("pays")
        self.upstream.set_refunds("is made")

    def close(self):
        if self.gateway:
            self.gateway.close()
        self.upstream.stop()
        self.shop.stop()


def acknowledged(reply):
    assert (reply.status, reply.raw) == (200, b"success"), f"notice answered {reply.status} {reply.raw[:200]!r}"


class Gateway:
    """The binary, started on free ports and ended by its own process handle."""

    def __init__(self, binary, upstream_url):
        self.folder = tempfile.TemporaryDirectory(prefix="scangate-interop-")
        home = Path(self.folder.name)
        self.binary, self.log, self.process = str(Path(binary).resolve()), home / "gateway.log", None
        listen, ops = free_ports(2)
        self.url = f"http://127.0.0.1:{listen}"
        self.config = home / "scangate.toml"
        self.config.write_text(config_text(home, listen, ops, upstream_url))
        (home / "directory.toml").write_text(directory_text(upstream_url))
        try:
            self._apply(home / "directory.toml")
            self._serve()
        except BaseException:
            self.close()
            raise

    def _environment(self):
        """Ours, less the caller's own settings of the gateway."""
        return {key: value for key, value in os.environ.items() if not key.startswith("SCANGATE_")}

    def _apply(self, directory):
        done = subprocess.run(
            [self.binary, "apply", str(directory), "--config", str(self.config)],
            cwd=self.folder.name, env=self._environment(), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=web.DEADLINE * 3,
        )
        assert done.returncode == 0, f"apply ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        [made] = json.loads(done.stdout)["api_keys"]
        self.api_key = made["key"]

    def _serve(self):
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve", "--config", str(self.config)],
                cwd=self.folder.name, env=self._environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        deadline = time.monotonic() + web.DEADLINE * 3
        while not self._ready():
            assert time.monotonic() < deadline, f"the gateway was not ready in time\n{self.tail()}"
            try:
                # Waits for its end, which would be news; a process of another program tells nothing else.
                self.process.wait(0.02)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(f"the gateway ended with {self.process.returncode}\n{self.tail()}")

    def _ready(self):
        try:
            return web.exchange("GET", self.url + "/health/ready").status == 200
        except OSError:
            return False

    def stop(self):
        """Ask it to end, and return its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(web.DEADLINE * 3)

    def tail(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-40:]) if self.log.exists() else ""

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.folder.cleanup()


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def config_text(home, listen, ops, upstream_url):
    """Only what differs from gateway/config/default.toml; little is asked of the disk, whose size is no subject here."""
    return f"""
[server]
listen = "127.0.0.1:{listen}"
ops_listen = "127.0.0.1:{ops}"
public_url = "http://127.0.0.1:{listen}"

[store]
url = "sqlite:{home}/scangate.db"
min_free_disk = "2MiB"
stop_free_disk = "1MiB"

[secrets]
master_key_file = "{home}/master.key"

[upstream]
sandbox_base_urls = ["{upstream_url}"]
# Some answers never come, and are waited for.
timeout = "2s"
query_timeout = "2s"

# One merchant does here in a second what others do in a day.
[limits]
platform = "1000000/1s"
merchant = "1000000/1s"
store = "1000000/1s"
account = "1000000/1s"
failed_authentications = "1000000/1s"
callbacks = "1000000/1s"

[deliveries]
allow_addresses = ["127.0.0.0/8"]
"""


def directory_text(upstream_url):
    return f"""
[[platform]]
slug = "{PLATFORM}"

[[platform.account]]
name = "main"
base_url = "{upstream_url}"
partner_no = "{ACCOUNT_NO}"
sign_key = "{ACCOUNT_KEY}"

[[platform.merchant]]
name = "Interop shop"
partner_no = "{MERCHANT_NO}"
mode = "test"
sign_key = "{MERCHANT_KEY}"

[[platform.merchant.store]]
store_no = "{MERCHANT_STORE}"
account = "main"
upstream_store_no = "{UPSTREAM_STORE}"
currency = "HKD"
wallets = ["Wechat", "Alipay", "AlipayHK"]
"""
