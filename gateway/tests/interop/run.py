#!/usr/bin/env python3
"""Drives the gateway with a client, an upstream and a shop written from docs/PROTOCOL.md alone.

    run.py --scangate target/debug/scangate [WORD]     every check, or those whose name holds the word
    run.py --self-check                                client, upstream and shop against each other

Needs Python's standard library only. The last line is `N passed, N failed`; the exit code says the same.
"""

import argparse
import signal
import sys
import traceback

sys.dont_write_bytecode = True

import fanning  # noqa: E402
import faulty  # noqa: E402
import ordering  # noqa: E402
import paying  # noqa: E402
import products  # noqa: E402
import refunding  # noqa: E402
import self_check  # noqa: E402
from checks import check  # noqa: E402
from stage import Stage  # noqa: E402


@check
def the_gateway_ends_cleanly_when_asked(stage):
    code = stage.gateway.stop()
    assert code == 0, f"exit code {code}"


@check
def every_payment_was_told_once_and_nothing_else_was(stage):
    told = [one.number for one in stage.shop.told]
    assert sorted(told) == sorted(stage.paid), f"told {told}, paid {stage.paid}"
    assert all(one.verified and one.body["status"] == 1 for one in stage.shop.told)


@check
def the_upstream_saw_no_breach_of_the_protocol(stage):
    assert not stage.upstream.breaches, sorted(set(stage.upstream.breaches))


# Run last, in this order: they look back on everything before.
AT_THE_END = (
    the_gateway_ends_cleanly_when_asked,
    every_payment_was_told_once_and_nothing_else_was,
    the_upstream_saw_no_breach_of_the_protocol,
)


def checks_of(module):
    return [
        found
        for found in vars(module).values()
        if hasattr(found, "cases") and getattr(found, "__module__", None) == module.__name__
    ]


def run(stage, checks, word):
    """How many passed and how many failed."""
    passed = failed = 0
    for function in checks:
        for case in function.cases:
            name = function.__name__.replace("_", " ") + (f" ({case})" if case else "")
            if word not in name:
                continue
            stage.reset()
            try:
                function(stage) if case is None else function(stage, case)
            except Exception:
                failed += 1
                print(f"FAILED  {name}\n{traceback.format_exc()}", flush=True)
            else:
                passed += 1
                print(f"ok      {name}", flush=True)
    return passed, failed


def through_the_gateway(stage, binary, word):
    try:
        stage.between(binary)
    except Exception:
        print(f"FAILED  the gateway starts\n{traceback.format_exc()}")
        return 0, 1
    checks = [check for part in (ordering, products, paying, refunding, fanning, faulty) for check in checks_of(part)]
    passed, failed = run(stage, checks, word)
    at_the_end = run(stage, AT_THE_END, "")
    if failed or at_the_end[1]:
        print(f"-- the gateway's last words --\n{stage.gateway.tail()}")
    return passed + at_the_end[0], failed + at_the_end[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--scangate", metavar="PATH", help="the gateway's binary")
    what.add_argument("--self-check", action="store_true")
    parser.add_argument("word", nargs="?", default="", help="only checks whose name holds this")
    arguments = parser.parse_args()

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    stage = Stage()
    try:
        if arguments.self_check:
            self_check.direct(stage)
            passed, failed = run(stage, checks_of(self_check), arguments.word)
        else:
            passed, failed = through_the_gateway(stage, arguments.scangate, arguments.word)
    finally:
        stage.close()
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
