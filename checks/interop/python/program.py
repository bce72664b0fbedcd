"""The interop program for PyPI's rocketmq-python-client. Arguments: endpoints, prefix, steps separated by commas. Each step
prints what it saw as JSON lines; java/ and node/ hold the same program for the other clients."""

import os
import sys
import threading
import time
import traceback

from consuming import CONSUMING_STEPS
from ordering import ORDERING_STEPS
from sending import SENDING_STEPS
from transactions import TRANSACTION_STEPS
from world import World

# All at once would starve a small machine, and then what has a lease or a due time.
STAGGER_S = 0.3
STEPS = {**SENDING_STEPS, **CONSUMING_STEPS, **ORDERING_STEPS, **TRANSACTION_STEPS}


def run(name, endpoints, prefix):
    world = World(endpoints, prefix, name)
    try:
        STEPS[name](world)
        world.close()
        world.emit("end")
    except Exception:
        world.emit("failed", error=traceback.format_exc())


def main():
    endpoints, prefix, wanted = sys.argv[1:]
    threads = [threading.Thread(target=run, args=(name, endpoints, prefix)) for name in wanted.split(",")]
    for thread in threads:
        thread.start()
        time.sleep(STAGGER_S)
    for thread in threads:
        thread.join()
    sys.stdout.flush()
    # Closed clients of 5.1.2 leave threads behind that keep the process.
    os._exit(0)


main()
