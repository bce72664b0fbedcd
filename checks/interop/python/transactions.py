"""Half messages: ended by their producer, or by the answer to a check."""

from rocketmq import TransactionChecker, TransactionResolution

from world import delivery_of

UNKNOWN = TransactionResolution.TRANSACTION_RESOLUTION_UNSPECIFIED
COMMIT = TransactionResolution.COMMIT
ROLLBACK = TransactionResolution.ROLLBACK

# What a check answers, by the number of times that it has come.
ANSWERS = {
    "check commit": lambda times: COMMIT,
    "check rollback": lambda times: ROLLBACK,
    "check later": lambda times: UNKNOWN if times < 2 else COMMIT,
    "commit during checks": lambda times: UNKNOWN,
}


class Checker(TransactionChecker):
    def __init__(self):
        self.checks = []

    def check(self, message):
        self.checks.append(delivery_of(message))
        label = message.body.decode()
        return ANSWERS[label](len(self.of(label)))

    def of(self, label):
        return [check for check in self.checks if check.view.body.decode() == label]


def transactions(world):
    checker = Checker()
    producer = world.producer([world.name("transactions")], checker)

    def begin(label):
        transaction = producer.begin_transaction()
        half = dict(tag="t", keys=["k1", "k2"], properties={"p": "v"}, transaction=transaction, producer=producer)
        world.code(f"half message: {label}", lambda: world.send(label, "transactions", **half))
        return transaction

    committed = begin("commit")
    world.code("commit", committed.commit)
    world.code("commit once more", committed.commit)
    world.code("rollback", begin("rollback").rollback)
    late = begin("commit during checks")
    for label in ("check commit", "check rollback", "check later"):
        begin(label)
    consumer = world.simple_consumer("transactions", "transactions")
    messages = []

    def receive_until(count):
        while len(first_of_each(messages)) < count:
            messages.extend(world.receive_and_ack(consumer, 1))

    receive_until(3)
    world.until("a check of a transaction under way", lambda: checker.of("commit during checks"))
    world.code("commit after a check", late.commit)
    receive_until(4)
    world.until("the check that is answered by a rollback", lambda: checker.of("check rollback"))
    messages += world.receive_once(consumer)
    received = world.in_any_order(first_of_each(messages))
    world.emit("received", messages=[without_count(message) for message in received])
    for label in ANSWERS:
        world.emit(f"first check: {label}", message=world.describe(checker.of(label)[0]))
    world.emit("second check: check later", message=world.describe(checker.of("check later")[1]))


def first_of_each(messages):
    """A real server asks again when a check falls due while the answer to the one before is under way: a message comes
    twice."""
    return list({delivery.view.message_id: delivery for delivery in reversed(messages)}.values())


def without_count(message):
    """How often a message was checked before its end took effect is a matter of luck; that it was checked is not."""
    properties = {key: value for key, value in message["properties"].items() if key != "TRANSACTION_CHECK_TIMES"}
    return {**message, "properties": properties, "checked": properties != message["properties"]}


TRANSACTION_STEPS = {"transactions": transactions}
