"""Ordinary consumer groups: simple and push consumers, leases, filters, retries, dead letters, an orderly end."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

PROPERTIES = {"region": "EU", "\u00dcnicode": "gr\u00fcn \U0001f407"}
# Longer than the 60 s that the server hides a message for, and than its first renewal.
LONG_HANDLER_S = 75
HOURS_13_S = 13 * 3600


def simple(world):
    world.send("plain", "simple")
    world.send("full", "simple", tag="tag-a", keys=["k1", "k2"], properties=PROPERTIES)
    world.send("binary", "simple", bytes([0, 255, 128, 1]))
    consumer = world.simple_consumer("simple", "simple")
    deliveries = world.receive(consumer, 3)
    world.emit("received", messages=world.in_order(deliveries))
    for index, delivery in enumerate(deliveries):
        world.code(f"ack {index + 1}", lambda: consumer.ack(delivery.view))
    world.code("ack once more", lambda: consumer.ack(deliveries[0].view))
    world.emit("received later", messages=world.in_order(world.receive_once(consumer)))


def leases(world):
    world.send("leased", "leases", tag="t", keys=["k"], properties={"p": "v"})
    consumer = world.simple_consumer("leases", "leases")
    world.code("receive for 9 s", lambda: consumer.receive(16, 9))
    world.code("receive for 13 h", lambda: consumer.receive(16, HOURS_13_S))
    [first] = world.receive(consumer, 1)
    world.code("change to 13 h", lambda: consumer.change_invisible_duration(first.view, HOURS_13_S))
    world.code("change to 1 s", lambda: consumer.change_invisible_duration(first.view, 1))
    [second] = world.receive(consumer, 1, 10)
    time.sleep(12)
    world.code("ack after the lease", lambda: consumer.ack(second.view))
    world.code("change after the lease", lambda: consumer.change_invisible_duration(second.view, 10))
    [third] = world.receive(consumer, 1)
    world.code("renew", lambda: consumer.change_invisible_duration(third.view, 40))
    world.code("ack what was renewed", lambda: consumer.ack(third.view))
    world.emit("received", messages=world.in_order([first, second, third]))
    world.emit("received later", messages=world.in_order(world.receive_once(consumer)))


def tags(world):
    for tag in ("a", "b", "c", None):
        world.send(f"tag {tag}", "tags", tag=tag)
    some = world.simple_consumer("tags", "tags-some", "a || b")
    every = world.simple_consumer("tags", "tags-all")
    world.emit("a || b", messages=world.in_any_order(world.receive_and_ack(some, 2)))
    world.emit("*", messages=world.in_any_order(world.receive_and_ack(every, 4)))
    world.emit("a || b, later", messages=world.in_any_order(world.receive_once(some)))


def sql(world):
    world.send("eu-20", "sql", tag="a", properties={"region": "EU", "amount": "20"})
    world.send("us-7.5", "sql", tag="b", properties={"region": "US", "amount": "7.5"})
    world.send("asia-5", "sql", tag="c", properties={"region": "Asia's", "amount": "5", "note": "x"})
    world.send("bare", "sql")
    world.send("words", "sql", tag="b", properties={"region": "EU-west", "amount": "many"})
    expressions = [
        "region = 'EU' AND amount > 10",
        "TAGS = 'b' OR note IS NOT NULL",
        "amount BETWEEN 5 AND 7.5",
        "region IN ('US', 'Asia''s') AND NOT (amount >= 6)",
        "region STARTSWITH 'EU' AND region <> 'EU'",
        "region IS NULL",
        "region CONTAINS 'sia' or region ENDSWITH 'west'",
    ]

    def drain(index):
        return world.drain(world.simple_consumer("sql", f"sql-{index + 1}", sql=expressions[index]))

    with ThreadPoolExecutor(len(expressions)) as threads:
        for expression, messages in zip(expressions, threads.map(drain, range(len(expressions)))):
            world.emit(expression, messages=world.in_any_order(messages))
    wrong = world.simple_consumer("sql", "sql-1", sql="region = = 3")
    world.code("an expression that is none", lambda: wrong.receive(16, 10))


def push(world):
    labels = [f"push {number:02}" for number in range(12)]
    _, deliveries = world.push_consumer("push", "push", lambda text, attempt: not (text == "push 03" and attempt == 1))
    for label in labels:
        world.send(label, "push", tag="t", keys=[label], properties={"label": label})
    world.until("all messages and one retry", lambda: len(deliveries) >= len(labels) + 1)
    time.sleep(5)
    world.emit("consumed", messages=world.in_any_order(deliveries))


def long_handler(world):
    def handle(_text, _attempt):
        time.sleep(LONG_HANDLER_S)
        return True

    _, deliveries = world.push_consumer("long-handler", "long-handler", handle)
    world.send("slow", "long-handler")
    world.until("the message", lambda: len(deliveries) > 0)
    time.sleep(LONG_HANDLER_S + 8)
    world.emit("consumed", messages=world.in_any_order(deliveries))


def retries(world):
    _, deliveries = world.push_consumer("retries", "retries", lambda text, attempt: False)
    world.send("poison", "retries", tag="t", keys=["k1", "k2"], properties=PROPERTIES)
    world.until("both attempts", lambda: len(deliveries) >= 2)
    dead = world.retry(lambda: world.simple_consumer("%DLQ%retries", "retries-dead"))
    letters = world.retry(lambda: world.receive_and_ack(dead, 1))
    time.sleep(3)
    world.emit("consumed", messages=world.in_order(deliveries))
    world.emit("dead letters", messages=world.in_order(letters))


def shutdown(world):
    handled = threading.Event()

    def handle(_text, _attempt):
        time.sleep(3)
        handled.set()
        return True

    consumer, deliveries = world.push_consumer("shutdown", "shutdown", handle)
    world.send("in hand", "shutdown")
    world.until("the message", lambda: len(deliveries) > 0)
    consumer.shutdown()
    world.emit("the end of a consumer", handlerHadEnded=handled.is_set())
    world.send("after", "shutdown")
    following = world.simple_consumer("shutdown", "shutdown")
    messages = world.drain(following)
    world.emit("left for the next", messages=world.in_any_order(messages))


CONSUMING_STEPS = {
    "simple": simple,
    "leases": leases,
    "tags": tags,
    "sql": sql,
    "push": push,
    "long-handler": long_handler,
    "retries": retries,
    "shutdown": shutdown,
}
