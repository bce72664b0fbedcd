"""What a broker takes and rejects, and what comes of delays, recalls and priorities."""

from world import now_ms

HOUR_MS = 3_600_000
MAX_BODY_BYTES = 4 * 1024 * 1024


def send(world):
    in_an_hour = now_ms() + HOUR_MS
    taken = {
        "normal": dict(purpose="send-normal", tag="a", keys=["k1", "k2"], properties={"p": "v"}),
        "fifo": dict(purpose="send-fifo", group="g"),
        "delay": dict(purpose="send-delay", deliver_at_ms=in_an_hour),
    }
    for label, message in taken.items():
        receipt = world.code(f"a {label} message", lambda: world.send(label, **message))
        is_id = receipt.transaction_id == receipt.message_id
        world.emit(
            f"the receipt of a {label} message",
            transactionId="the message id" if is_id else receipt.transaction_id,
            recallHandle=bool(receipt.recall_handle),
        )
    rejected = {
        "an unknown topic": dict(purpose="nowhere"),
        "a normal message to an ordered topic": dict(purpose="send-fifo"),
        "an ordered message to a normal topic": dict(purpose="send-normal", group="g"),
        "a delayed message to a normal topic": dict(purpose="send-normal", deliver_at_ms=in_an_hour),
        "a delay of 25 hours": dict(purpose="send-delay", deliver_at_ms=now_ms() + 25 * HOUR_MS),
        "a reserved property": dict(purpose="send-normal", properties={"KEYS": "v"}),
        "properties of 17 KB": dict(purpose="send-normal", properties={"p": "v" * 17_000}),
        "a group of 64 bytes": dict(purpose="send-fifo", group="g" * 64),
        "a tag with a control character": dict(purpose="send-normal", tag="a\u0001"),
        "a key with a control character": dict(purpose="send-normal", keys=["k\u0001"]),
        "a body over the limit": dict(purpose="send-normal", body=bytes(MAX_BODY_BYTES + 1)),
    }
    for what, message in rejected.items():
        world.code(what, lambda: world.send(what, **message))


def large(world):
    # As much as the client takes: its receive limit is 4 MiB for the whole frame.
    body = b"x" * (MAX_BODY_BYTES - 8192)
    world.code("a body near the limit", lambda: world.send("large", "large", body))
    consumer = world.simple_consumer("large", "large")
    world.emit("received", messages=world.in_order(world.receive_and_ack(consumer, 1)))


def delay(world):
    consumer = world.simple_consumer("delay", "delay")
    world.sender()
    now = now_ms()
    past = world.send("past", "delay", deliver_at_ms=now - 5000, tag="t", keys=["k"])
    world.send("late", "delay", deliver_at_ms=now + 14_000, tag="t", keys=["k"], properties={"p": "v"})
    world.send("soon", "delay", deliver_at_ms=now + 7000)
    world.emit("the receipt of a message for the past", recallHandle=bool(past.recall_handle))
    world.emit("received", messages=world.in_any_order(world.receive_and_ack(consumer, 3)))


def recall(world):
    producer = world.sender()
    consumer = world.simple_consumer("recall", "recall")
    topic = world.name("recall")
    at = now_ms() + 30_000
    recalled = world.send("recalled", "recall", deliver_at_ms=at)
    world.send("kept", "recall", deliver_at_ms=at)
    handle = recalled.recall_handle
    message_id = world.code("recall", lambda: producer.recall_message(topic, handle))
    world.emit("the receipt of a recall", isOfTheMessage=message_id == recalled.message_id)
    world.code("recall once more", lambda: producer.recall_message(topic, handle))
    world.code("recall by a handle of nonsense", lambda: producer.recall_message(topic, "nonsense"))
    world.emit("received", messages=world.in_order(world.receive_and_ack(consumer, 1)))
    world.emit("received later", messages=world.in_order(world.receive_once(consumer)))
    world.code("recall what was due", lambda: producer.recall_message(topic, handle))


def priority(world):
    for number in (1, 3, 7, 5):
        world.send(f"priority {number}", "priority", priority=number)
    consumer = world.simple_consumer("priority", "priority")
    world.emit("received", messages=world.in_order(world.receive_and_ack(consumer, 4)))


SENDING_STEPS = {"send": send, "large": large, "delay": delay, "recall": recall, "priority": priority}
