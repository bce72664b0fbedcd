"""What a step works with: clients that are closed after it, what it received, and lines that say so without ids or times."""

import hashlib
import json
import sys
import threading
import time
from collections import namedtuple

from rocketmq import (
    ClientConfiguration,
    ConsumeResult,
    Credentials,
    FilterExpression,
    Message,
    MessageListener,
    Producer,
    PushConsumer,
    SimpleConsumer,
)
from rocketmq.grpc_protocol import FilterType
from rocketmq.v5.util import Misc

REQUEST_TIMEOUT_S = 10
AWAIT_S = 5
TIMEOUT_S = 90
QUIET_S = 8
POLL_S = 0.02
INVISIBLE_S = 30
SETTINGS_S = 2

# The attempt as it was then: the client counts in place.
Delivery = namedtuple("Delivery", ["view", "attempt", "at_ms"])
Sent = namedtuple("Sent", ["label", "deliver_at_ms"])

OUTPUT = threading.Lock()


def now_ms():
    return int(time.time() * 1000)


def delivery_of(view):
    return Delivery(view, view.delivery_attempt, now_ms())


class Listener(MessageListener):
    def __init__(self, handle, deliveries):
        self.handle = handle
        self.deliveries = deliveries

    def consume(self, message):
        delivery = delivery_of(message)
        self.deliveries.append(delivery)
        ok = self.handle(message.body.decode(), delivery.attempt)
        return ConsumeResult.SUCCESS if ok else ConsumeResult.FAILURE


class World:
    def __init__(self, endpoints, prefix, step):
        self.endpoints = endpoints
        self.prefix = prefix
        self.step = step
        self.sent = {}
        self.closers = []
        self.own_producer = None

    def name(self, purpose):
        dead = "%DLQ%"
        return f"{dead}{self.prefix}{purpose[len(dead):]}" if purpose.startswith(dead) else self.prefix + purpose

    def emit(self, what, **facts):
        """Prints a line; `what` is unique in its step."""
        line = json.dumps({"step": self.step, "what": what, **facts}, sort_keys=True)
        with OUTPUT:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    def code(self, what, call):
        """Runs a call and prints its code: 20000, the server's, or that the client rejected by itself."""
        try:
            result = call()
        except Exception as error:
            code = getattr(error, "code", None)
            rejected = f"rejected by the client: {type(error).__name__}"
            self.emit(what, code=int(code) if isinstance(code, int) else rejected)
            return None
        self.emit(what, code=20000)
        return result

    def configuration(self):
        return ClientConfiguration(self.endpoints, Credentials(), "", REQUEST_TIMEOUT_S)

    def started(self, client):
        client.startup()
        self.closers.append(client.shutdown)
        return client

    def producer(self, topics=None, checker=None):
        return self.started(Producer(self.configuration(), topics, checker))

    def sender(self):
        if self.own_producer is None:
            self.own_producer = self.producer()
        return self.own_producer

    def message(self, purpose, body, tag=None, keys=(), properties=None, group=None, deliver_at_ms=None, priority=None):
        message = Message()
        message.topic = self.name(purpose)
        message.body = body if isinstance(body, bytes) else body.encode()
        if tag is not None:
            message.tag = tag
        for key in keys:
            message.keys = key
        for key, value in (properties or {}).items():
            message.add_property(key, value)
        if group is not None:
            message.message_group = group
        if deliver_at_ms is not None:
            # The client takes seconds.
            message.delivery_timestamp = deliver_at_ms // 1000
        if priority is not None:
            message.priority = priority
        return message

    def send(self, label, purpose, body=None, transaction=None, producer=None, **rest):
        """Sends a message that is called `label` from then on."""
        message = self.message(purpose, label if body is None else body, **rest)
        sender = producer or self.sender()
        receipt = sender.send(message) if transaction is None else sender.send(message, transaction)
        self.sent[receipt.message_id] = Sent(label, rest.get("deliver_at_ms"))
        return receipt

    def simple_consumer(self, topic, group, expression="*", sql=None):
        matches = FilterExpression(expression) if sql is None else FilterExpression(sql, FilterType.SQL)
        subscription = {self.name(topic): matches}
        consumer = self.started(SimpleConsumer(self.configuration(), self.name(group), subscription, AWAIT_S))
        # 5.1.2 does not wait for the server's settings, without which a receive fails.
        time.sleep(SETTINGS_S)
        return consumer

    def push_consumer(self, topic, group, handle):
        """`handle` is given text and attempt, and says whether the message was handled."""
        deliveries = []
        subscription = {self.name(topic): FilterExpression("*")}
        listener = Listener(handle, deliveries)
        consumer = PushConsumer(self.configuration(), self.name(group), listener, subscription)
        return self.started(consumer), deliveries

    def receive_once(self, consumer, invisible_s=INVISIBLE_S):
        """One long poll."""
        return [delivery_of(view) for view in consumer.receive(16, invisible_s) or []]

    def receive(self, consumer, count, invisible_s=INVISIBLE_S):
        """Receives until `count` messages are there."""
        deliveries = []
        ends_at = time.monotonic() + TIMEOUT_S
        while len(deliveries) < count:
            if time.monotonic() > ends_at:
                raise TimeoutError(f"{len(deliveries)} of {count} messages came in {TIMEOUT_S} s")
            deliveries += self.receive_once(consumer, invisible_s)
        return deliveries

    def receive_and_ack(self, consumer, count):
        deliveries = self.receive(consumer, count)
        for delivery in deliveries:
            consumer.ack(delivery.view)
        return deliveries

    def drain(self, consumer):
        """Receives and acks until nothing has come for some time. A poll may end at once when all was filtered out."""
        deliveries = []
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < QUIET_S:
            received = self.receive_once(consumer)
            for delivery in received:
                consumer.ack(delivery.view)
            if received:
                quiet_since = time.monotonic()
            else:
                time.sleep(POLL_S)
            deliveries += received
        return deliveries

    def until(self, what, condition):
        ends_at = time.monotonic() + TIMEOUT_S
        while not condition():
            if time.monotonic() > ends_at:
                raise TimeoutError(f"{TIMEOUT_S} s passed, waiting for {what}")
            time.sleep(POLL_S)

    def retry(self, call):
        """Tries again what needs a topic that is made by the server."""
        ends_at = time.monotonic() + TIMEOUT_S
        while True:
            try:
                return call()
            except Exception:
                if time.monotonic() > ends_at:
                    raise
                time.sleep(0.5)

    def in_order(self, deliveries):
        """In the order of their arrival."""
        return [self.describe(delivery) for delivery in deliveries]

    def in_any_order(self, deliveries):
        """For topics of several queues, which promise no order."""
        return sorted(self.in_order(deliveries), key=lambda one: (one["message"], one["attempt"]))

    def describe(self, delivery):
        """What may be compared of a delivery."""
        view = delivery.view
        sent = self.sent.get(view.message_id, Sent("unknown id", None))
        properties = {
            key: f"id of {self.sent[value].label}" if value in self.sent else value
            for key, value in (view.properties or {}).items()
        }
        deliver_at = view.delivery_timestamp
        return {
            "message": sent.label,
            "topic": view.topic.replace(self.prefix, ""),
            "body": hashlib.sha256(view.body).hexdigest()[:16],
            "bytes": len(view.body),
            "tag": view.tag or None,
            "keys": sorted(view.keys),
            "properties": properties,
            "group": view.message_group or None,
            "priority": view.priority or None,
            "attempt": delivery.attempt,
            "bornHost": "own" if view.born_host == Misc.get_local_ip() else view.born_host,
            "deliverAt": self.deliver_at(deliver_at, sent.deliver_at_ms),
            "early": sent.deliver_at_ms is not None and delivery.at_ms < sent.deliver_at_ms - 1000,
        }

    @staticmethod
    def deliver_at(received, sent_ms):
        if not received:
            return None
        return "as sent" if sent_ms is not None and int(received) == sent_ms // 1000 else "another"

    def close(self):
        while self.closers:
            self.closers.pop()()
