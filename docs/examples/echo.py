"""Say something to another process, known only by its key, and print what it answers.

    python docs/examples/echo.py serve             prints an address and goes on until Control-C
    python docs/examples/echo.py ask ADDRESS       prints the answer
"""

import sys

from twisted.internet import defer, task

import rhotwist
from rhotwist import Request, Schema, text


class Said(Schema, name="example.said"):
    text: str = text(1000)


class Say(Request[Said], name="example.say"):
    text: str = text(1000)


async def serve(reactor):
    node = await rhotwist.listen(reactor)
    node.answer(Say, lambda call: Said(text=call.body.text))
    print(node.address, flush=True)
    await defer.Deferred()


async def ask(reactor, address):
    node = await rhotwist.listen(reactor)
    reply = await node.peer(address).request(Say(text="hello"), timeout=5)
    print(reply.text)
    await node.close()


if __name__ == "__main__":
    task.react({"serve": serve, "ask": ask}[sys.argv[1]], sys.argv[2:])
