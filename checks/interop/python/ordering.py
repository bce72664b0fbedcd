"""Ordered consumer groups."""

import time


def order(world):
    groups = ("red", "green", "blue")
    for number in range(5):
        for group in groups:
            world.send(f"{group} {number}", "order", group=group)
    failed = set()

    def handle(text, _attempt):
        # By its own count: the client's does not move while it retries.
        if text != "green 2" or text in failed:
            return True
        failed.add(text)
        return False

    _, deliveries = world.push_consumer("order", "order", handle)
    world.until("all messages and one retry", lambda: len(deliveries) >= 16)
    time.sleep(3)
    for group in groups:
        of_group = [delivery for delivery in deliveries if delivery.view.message_group == group]
        world.emit(f"consumed of {group}", messages=world.in_order(of_group))


def leases(world):
    for number in range(1, 6):
        world.send(f"m{number}", "order-leases", group="g", tag=f"t{number}")
    consumer = world.simple_consumer("order-leases", "order-leases")
    first = world.receive(consumer, 5, 30)
    world.emit("received", messages=world.in_order(first))
    world.code("ack the first", lambda: consumer.ack(first[0].view))
    world.code("ack the third", lambda: consumer.ack(first[2].view))
    world.emit("received while it is held", messages=world.in_order(world.receive_once(consumer)))
    again = world.receive(consumer, 4)
    world.emit("received after the lease", messages=world.in_order(again))
    for delivery in again:
        consumer.ack(delivery.view)
    world.send("m6", "order-leases", group="g")
    world.emit("received at last", messages=world.in_order(world.receive_and_ack(consumer, 1)))


def retries(world):
    _, deliveries = world.push_consumer("order-retries", "order-retries", lambda text, attempt: text != "poison")
    for label in ("before", "poison", "behind"):
        world.send(label, "order-retries", group="g", tag="t", keys=["k"], properties={"p": "v"})
    world.until("the message behind the poison", lambda: len(deliveries) >= 4)
    dead = world.retry(lambda: world.simple_consumer("%DLQ%order-retries", "order-retries-dead"))
    letters = world.retry(lambda: world.receive_and_ack(dead, 1))
    world.emit("consumed", messages=world.in_order(deliveries))
    world.emit("dead letters", messages=world.in_order(letters))


ORDERING_STEPS = {"order": order, "order-leases": leases, "order-retries": retries}
