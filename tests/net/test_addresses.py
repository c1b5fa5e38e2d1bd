"""Socket addresses there and back."""

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.net.addresses import KEPT, AddressBook
from rhotwist.wire.datagram import pack_address


class AddressBookTests(SynchronousTestCase):
    """18 bytes and what sockets take."""

    def test_ipv4_and_ipv6_there_and_back(self) -> None:
        for ipv6, sockaddr in ((False, ("192.0.2.1", 7460)), (True, ("2001:db8::1", 7460, 0, 0))):
            book = AddressBook(2, ipv6)
            path = book.path(sockaddr)
            self.assertEqual(path, (2, pack_address(sockaddr[0], 7460), False))
            self.assertIs(book.path(sockaddr), path)
            self.assertEqual(AddressBook(2, ipv6).sockaddr(path.address), sockaddr)

    def test_the_scope_of_a_link_local_sender_is_remembered_for_the_way_back(self) -> None:
        book = AddressBook(0, True)
        sender = ("fe80::1%eth0", 9, 0, 3)
        self.assertEqual(book.sockaddr(book.path(sender).address), sender)

    def test_an_address_of_the_other_family_is_none(self) -> None:
        self.assertIsNone(AddressBook(0, False).sockaddr(pack_address("2001:db8::1", 9)))
        self.assertIsNone(AddressBook(0, True).sockaddr(pack_address("192.0.2.1", 9)))

    def test_a_flood_of_senders_does_not_fill_memory(self) -> None:
        book = AddressBook(0, False)
        for at in range(2 * KEPT + 1):
            book.path(("192.0.2.1", at))
        self.assertLessEqual(max(len(book.paths), len(book.sockaddrs)), KEPT)
