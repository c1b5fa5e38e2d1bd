"""Two processes of each role on the loopback interface: published here, found there, and spoken to."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.threads import deferToThread

from rhotwist.cli.client import Client
from rhotwist.control import directory, values, verbs
from rhotwist.control.values import Nothing
from rhotwist.keys.address import NODE, Address, format_address
from tests.service.processes import ProcessCase
from tests.service.test_transfers import FilesCase
from tests.service.test_wallet import failure_of


async def carry(text: str, to: Any) -> directory.Merged:
    """Paste a bundle into a process."""
    path = to.settings.places.datadir / "paste"
    path.write_text(text)
    merged: directory.Merged = await to.bundles.take(directory.BundleFile(str(path)))
    return merged


class SendTests(ProcessCase):
    """A message to a key alone."""

    async def test_what_is_published_there_is_enough_to_be_spoken_to(self) -> None:
        ann, bob = self.wallet("ann"), self.wallet("bob")
        to = bob.keystore.hot["bob"].address
        error = await failure_of_call(ann, values.Send(to, "", "hi", timeout=5.0))
        self.assertEqual("RHO-2601", error.code)
        published = await bob.publisher.publish(directory.Publish())
        merged = await carry(published.bundle, ann)
        self.assertEqual((2, 1), (merged.new, merged.local))
        sent = await ann.send(values.Send(to, "", "hi", timeout=5.0))
        self.assertEqual(to, sent.kept_by)
        self.assertEqual(["hi"], [item.text for item in bob.list_inbox(values.InboxAsk()).items])

    async def test_of_several_addresses_the_one_that_answers_counts(self) -> None:
        ann, bob = self.wallet("ann"), self.wallet("bob")
        to, port = bob.keystore.hot["bob"].address, bob.node.sockets[0][1]
        addresses = ("udp:127.0.0.2:9", f"udp:127.0.0.1:{port}", "tcp:127.0.0.3:9", "udp:[::1]:9")
        await carry((await bob.publisher.publish(directory.Publish(addresses=addresses))).bundle, ann)
        await ann.send(values.Send(to, "", "hi", timeout=10.0))
        self.assertEqual(1, len(bob.list_inbox(values.InboxAsk()).items))

    async def test_a_node_answers_for_its_directory_over_its_socket(self) -> None:
        made = self.start("node", "--listen", "127.0.0.1:0", "--private-net")
        client = Client(made.settings.places, "node", 10.0)
        published = await deferToThread(client.ask, verbs.PUBLISH, directory.Publish(node=True))
        key = format_address(Address(NODE, made.node.public))
        self.assertEqual([key], [row.key for row in published.records])
        self.assertEqual((), published.notes)
        root = await deferToThread(client.ask, verbs.ROOT)
        self.assertEqual((published.root, 1), (root.root, root.count))
        found = await deferToThread(client.ask, verbs.LOOKUP, directory.Lookup(key))
        self.assertEqual((made.node.address,), found.places)

    async def test_a_process_started_again_has_its_directory_and_says_its_new_port(self) -> None:
        bob = self.wallet("bob")
        await bob.publisher.publish(directory.Publish())
        first = bob.directory.store.lookup(bob.node.public)
        await bob.stopService()
        bob = self.wallet("bob")
        for saying in bob.publisher.renew([]):
            await saying
        while bob.directory.store.lookup(bob.node.public) == first:
            await bob.world.later(0.02)
        places = bob.finder.resolve(format_address(Address(NODE, bob.node.public)))[1]
        self.assertEqual([bob.node.sockets[0][1]], [place.port for place in places])

    async def test_what_is_wrong_with_the_directory_is_in_status(self) -> None:
        ann = self.wallet("ann")
        ann.directory._trouble = "no room"
        self.assertIn("the directory cannot be used: no room", ann.status(Nothing()).health)


class FileTests(FilesCase):
    """A file to a key alone."""

    QUICK = FilesCase.QUICK | {"RHO_LIMITS_FILE_HOLD": "0.2"}

    async def test_a_file_goes_where_the_record_says_and_on_where_it_says_later(self) -> None:
        await carry((await self.bob.publisher.publish(directory.Publish())).bundle, self.ann)
        path = self.file(bytes(range(256)) * 40)
        row = await self.ann.send_file(values.FileSend(self.to, "", str(path)))
        self.assertEqual("", row.at)
        while not self.ann.finder._proven:
            await self.bob.world.later(0.02)
        offered = self.bob.files.listed(values.TransfersAsk()).items
        # He comes back at another port, and what he says then reaches Ann as text.
        await self.bob.stopService()
        self.bob = self.wallet("bob")
        await self.bob.world.later(0)
        published = await self.bob.publisher.publish(directory.Publish())
        await carry(published.bundle, self.ann)
        await self.bob.files.receive(values.Receive(str(self.into), numbers=(offered[0].number,)))
        self.assertEqual(1, len(offered))
        while self.ann.files.listed(values.TransfersAsk((row.number,))).items[0].state != "done":
            await self.bob.world.later(0.02)
        self.assertEqual(path.read_bytes(), (self.into / path.name).read_bytes())


async def failure_of_call(process: Any, ask: values.Send) -> Any:
    """The error of something that is refused at once or later."""
    return await failure_of(maybeDeferred(process.send, ask))
