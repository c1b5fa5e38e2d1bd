"""Every text by which we tell a person that something is wrong: one entry for each ``RHO-nnnn``.

``raise trouble.PORT_TAKEN(address="udp 0.0.0.0:7460")`` makes the ``OperatorError``. ``errors_page`` writes
docs/errors.md from this table. Numbers are never used again for something else.

    1000  options and configuration      1200  wallets and passphrases
    1100  this machine and its processes 2200  others on the net        2300  files
    2400  contacts and conversations     2600  the directory         9000  our own mistakes
"""

from __future__ import annotations

import attrs

from rhotwist.errors import OperatorError

OK, FAILED, USAGE, NOT_RUNNING, LOCKED, QUEUED, UNVERIFIED, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 130
"""The exit statuses, as docs/command-line.md explains them."""


@attrs.frozen
class Entry:
    """One kind of trouble. what, why and hint are templates; calling the entry fills them in."""

    code: str
    what: str
    why: str
    hint: str
    exit_status: int = FAILED

    def __call__(self, **fields: object) -> OperatorError:
        """The error of this kind, its templates filled from fields."""
        return OperatorError(
            self.code,
            self.what.format(**fields),
            self.why.format(**fields),
            self.hint.format(**fields),
            self.exit_status,
        )


# --- options and configuration ---------------------------------------------------------------------------------------

KEY_UNKNOWN = Entry(
    "RHO-1001", "{place} names the key {key}, which does not exist", "no program part would ever read it", "{nearest}",
    USAGE,
)
VALUE_WRONG = Entry(
    "RHO-1002", "{place}: {key} cannot be {value}", "{key} is {wanted}", "correct it, or remove it for the default",
    USAGE,
)
CONFIG_UNREADABLE = Entry(
    "RHO-1003", "the configuration {path} cannot be read", "{why}",
    "correct the file, or move it away for the defaults", USAGE,
)
LISTEN_WRONG = Entry(
    "RHO-1004", "{text} is no place to listen at", "{why}",
    "write 7460, 203.0.113.5:7460, [::1]:7460 or tcp:7460", USAGE,
)
SIBLINGS_WRONG = Entry(
    "RHO-1005", "the siblings file {path} cannot be used", "{why}",
    "see docs/command-line.md for a whole example", USAGE,
)
SIBLINGS_OPEN = Entry(
    "RHO-1006", "the siblings file {path} can be read by others", "it holds a secret and its mode is {mode}",
    "chmod 600 {path}, and make a new secret if others may have read it", USAGE,
)
OPTION_WRONG = Entry("RHO-1007", "{option} cannot be {value}", "{why}", "{hint}", USAGE)
ENVIRONMENT_UNKNOWN = Entry(
    "RHO-1008", "the environment sets {name}, which no key answers to", "no program part would ever read it",
    "{nearest}", USAGE,
)

# --- this machine and its processes ----------------------------------------------------------------------------------

FOLDER_UNUSABLE = Entry(
    "RHO-1101", "the data folder {path} cannot be used", "{why}",
    "give this user the folder, or name another with --datadir",
)
FOLDER_LOCKED = Entry(
    "RHO-1102", "the data folder {path} is in use", "another {role} process holds it{holder}",
    "stop that process, or name another folder with --datadir",
)
FOLDER_OPEN = Entry(
    "RHO-1103", "{path} is open to other users", "its mode is {mode} and it holds secrets", "chmod {wanted} {path}"
)
SOCKET_PATH_LONG = Entry(
    "RHO-1104", "the control socket cannot lie at {path}",
    "a socket's path has at most {most} bytes on this system, this one has {length}",
    "name a shorter folder with --datadir or RHO_HOME",
)
PORT_TAKEN = Entry(
    "RHO-1105", "{address} is taken", "another process listens there",
    "stop it, or listen elsewhere: --listen 0 takes any free port",
)
PORT_FORBIDDEN = Entry(
    "RHO-1106", "{address} may not be used by this user", "the system keeps ports below 1024 for itself",
    "listen at a port from 1024 on, such as --listen 7460",
)
ADDRESS_ABSENT = Entry(
    "RHO-1107", "{address} is not an address of this machine", "no interface has it ({why})",
    "list the addresses with: ip address; or use --listen 7460 for all of them",
)
NO_NETWORK = Entry(
    "RHO-1108", "the network cannot be reached", "the system says: {why}", "check the connection: ip address; ip route"
)
NODE_KEY_DAMAGED = Entry(
    "RHO-1109", "the node's key file {path} is not 32 bytes", "it was changed or cut: it has {length} bytes",
    "restore it from a backup; or move it away and start: the node then has a new address",
)
NOT_STARTED = Entry(
    "RHO-1110", "no {role} process runs on {path}", "nothing answers at its control socket", "{hint}", NOT_RUNNING
)
START_FAILED = Entry(
    "RHO-1111", "the wallet process did not start", "{why}", "see {log}, or start it by hand: twistd -n rhocoin wallet",
    NOT_RUNNING,
)
ANSWER_UNREADABLE = Entry(
    "RHO-1112", "the process at {path} answered something we do not understand", "{why}",
    "it may be another version of rhotwist: stop it, then try again",
)
DISK_FULL = Entry("RHO-1113", "the disk is full", "{why}; nothing of this was stored", "make room and try again")
DATABASE_NEWER = Entry(
    "RHO-1114", "the database was made by a newer rhotwist", "{why}; it was not touched",
    "install that version again, or restore the copy that the upgrade left beside it",
)
DATABASE_FAILED = Entry(
    "RHO-1115", "the database cannot be used", "{why}",
    "see whether the disk is healthy, then restore a copy; a damaged machine.db may be moved away with its -wal and "
    "-shm: peers bring the directory back",
)
SOCKET_DENIED = Entry(
    "RHO-1116", "the control socket {path} does not let us in", "it belongs to another user",
    "run as the user who started the process, or name your own folder with --datadir",
)
NO_UNIX_SOCKETS = Entry(
    "RHO-1117", "rho cannot talk to a process on this system", "it has no Unix sockets",
    "on Windows use WSL; rho ping works without a process",
)
PROCESS_BUSY = Entry(
    "RHO-1118", "the {role} process did not answer in {seconds} s", "it is busy, or stopped",
    "try again with a longer --timeout; see: rho status",
)
PROCESS_GONE = Entry(
    "RHO-1119", "the {role} process ended before it answered", "the connection at {path} broke; what it was doing may "
    "be done or not", "see its log and the end of the system's journal, start it again and look; then repeat this",
)
REQUEST_UNREADABLE = Entry("RHO-1120", "the request cannot be read", "{why}", "use rho of the same version")

# --- wallets and passphrases -----------------------------------------------------------------------------------------

WALLET_ABSENT = Entry("RHO-1201", "there is no wallet {name}", "{known}", "rho wallet create {name}")
WALLET_EXISTS = Entry(
    "RHO-1202", "there is a wallet {name} already", "its file is {path}",
    "choose another name; nothing was changed",
)
WALLET_NAME = Entry(
    "RHO-1203", "{name} is no name for a wallet", "a name has 1 to 40 of a-z, 0-9, - and _, a letter or digit first",
    "choose another, such as alice", USAGE,
)
PASSPHRASE_WRONG = Entry(
    "RHO-1204", "the passphrase does not open {name}", "the file is whole, so it is the passphrase",
    "try again, mind caps lock; the 24 words restore it: rho wallet import NEWNAME",
)
WALLET_DAMAGED = Entry(
    "RHO-1205", "the wallet file of {name} is damaged", "{why}",
    "use the previous one, {previous}, or the 24 words: rho wallet import",
)
WALLET_REFUSED = Entry(
    "RHO-1206", "the wallet file of {name} is not opened", "{why}",
    "if you did not make it so, restore it: rho wallet import NEWNAME",
)
WALLET_LOCKED = Entry(
    "RHO-1207", "{name} is locked", "its secret is not in memory", "rho wallet unlock {name}", LOCKED
)
NONE_HOT = Entry(
    "RHO-1208", "no wallet is unlocked", "somebody must sign the message", "rho wallet unlock NAME", LOCKED
)
WHICH_WALLET = Entry(
    "RHO-1209", "it is not said which wallet", "there are several: {names}", "say --wallet NAME", USAGE
)
WORDS_WRONG = Entry(
    "RHO-1210", "these words are no backup", "{why}", "read them from the paper again; nothing was made"
)
WORDS_UNCHECKED = Entry(
    "RHO-1211", "the words were not typed back as shown", "{why}",
    "start again with rho wallet create; nothing was made, these words are void", UNVERIFIED,
)
PASSPHRASES_DIFFER = Entry(
    "RHO-1212", "the two passphrases differ", "one was mistyped", "type it again; nothing was made"
)
PASSPHRASE_EMPTY = Entry(
    "RHO-1213", "the passphrase is empty", "it alone protects the wallet file", "choose some words that nobody guesses"
)
NO_TERMINAL = Entry(
    "RHO-1214", "{asked} cannot be asked for", "there is no terminal", "{hint}", USAGE
)
WALLETS_NONE = Entry(
    "RHO-1215", "there is no wallet yet", "none was made or imported", "rho wallet create alice"
)

# --- others on the net -----------------------------------------------------------------------------------------------

ADDRESS_WRONG = Entry("RHO-2201", "{text} is no {wanted}", "{why}", "copy it again, whole: {example}", USAGE)
TEXT_LONG = Entry(
    "RHO-2202", "the message is too long", "it has {length} bytes; one message carries {most}",
    "send it in parts", USAGE,
)
UNREACHABLE = Entry(
    "RHO-2203", "{peer} cannot be reached", "{why}",
    "check the key and the address; see whether it runs: rho status there",
)
TIMED_OUT = Entry("RHO-2204", "{peer} did not answer in time", "{why}", "try again, or allow more with --timeout")
REFUSED = Entry("RHO-2205", "{peer} refused", "{why}", "ask its owner")
NOT_PROVEN = Entry(
    "RHO-2206", "{peer} does not hold that wallet", "{why}",
    "its owner may have to unlock it: rho wallet unlock; or ask for the right --at",
)
SESSION_LOST = Entry(
    "RHO-2207", "the session with {peer} was lost", "{why}; it may or may not have been heard", "try again"
)
SUITE_REFUSED = Entry(
    "RHO-2208", "no common cipher with {peer}", "{why}",
    "update both sides; if that does not help, somebody on the way changes packets",
)
PUZZLE_REFUSED = Entry(
    "RHO-2209", "{peer} is under attack and asks for too much work", "{why}", "try again in a few minutes"
)
REPLY_WRONG = Entry("RHO-2210", "{peer} answered something else", "{why}", "it may be another version: ask its owner")
WITHDRAWN = Entry(
    "RHO-2211", "the request to {peer} was withdrawn", "you stopped it; it may or may not have been heard", "try again",
    INTERRUPTED,
)
OVERLOADED = Entry("RHO-2212", "{peer} has no room for another request", "{why}", "try again in a minute")
HOST_UNKNOWN = Entry(
    "RHO-2213", "the host in {peer} is not found", "{why}",
    "check the spelling and the connection, or give an IP address",
)
RECEIPT_WRONG = Entry(
    "RHO-2214", "{peer} confirmed another message than ours", "{why}", "ask its owner; the message may not be kept",
    UNVERIFIED,
)
TEXT_EMPTY = Entry("RHO-2216", "the message is empty", "there is nothing to send", "say something with -m", USAGE)
TO_ITSELF = Entry(
    "RHO-2215", "{wallet} cannot send to itself", "sender and receiver are one wallet", "name another", USAGE
)

# --- files -----------------------------------------------------------------------------------------------------------

FILE_UNREADABLE = Entry("RHO-2301", "{path} cannot be sent", "{why}", "{hint}")
FILE_CHANGED = Entry(
    "RHO-2302", "{path} has changed since it was offered", "{why}",
    "cancel the transfer with rho cancel, then send the file again when nobody writes to it",
)
FILE_TOO_LARGE = Entry(
    "RHO-2303", "{path} is too large", "it has {length} bytes; {most} are the most that is sent as one",
    "send it in pieces: split --bytes=100G",
)
TRANSFER_ABSENT = Entry(
    "RHO-2304", "there is no transfer {number}", "{why}", "rho transfers lists them", USAGE
)
TRANSFER_OVER = Entry(
    "RHO-2305", "transfer {number} is {state}", "it is over, nothing of it can go on", "send the file again: rho send"
)
TRANSFER_INCOMING = Entry(
    "RHO-2306", "transfer {number} comes from {peer}", "whoever sends a file drives it", "ask its owner to resume it"
)
TRANSFER_STOPPED = Entry(
    "RHO-2307", "{name} did not arrive", "{why}", "rho resume {number} sends what is missing"
)
TRANSFER_INTERRUPTED = Entry(
    "RHO-2308", "{name} is on its way", "you stopped it; {done} are with the receiver",
    "rho resume {number} sends what is missing", INTERRUPTED,
)
TRANSFER_REFUSED = Entry(
    "RHO-2309", "{name} was not taken", "{why}", "ask its receiver; or cancel it: rho cancel {number}"
)
INTO_UNUSABLE = Entry(
    "RHO-2310", "files cannot be put into {path}", "{why}", "name another folder: rho receive --into DIR"
)
RECEIVE_INTERRUPTED = Entry(
    "RHO-2311", "you stopped waiting", "{why}", "rho transfers shows what comes; rho receive waits again", INTERRUPTED
)

# --- contacts and conversations --------------------------------------------------------------------------------------

CONTACT_ABSENT = Entry("RHO-2401", "there is no contact {name}", "{known}", "rho contact add {name} INVITATION")
CONTACT_TAKEN = Entry(
    "RHO-2402", "{name} cannot be the name of that wallet", "{why}",
    "choose another name, or first: rho contact remove {other}",
)
CONTACT_NAME = Entry(
    "RHO-2403", "{name} is no name for a contact",
    "a name has 1 to 40 of a-z, 0-9, - and _, a letter or digit first, and does not begin as an address does",
    "choose another, such as bob", USAGE,
)
TALK_ABSENT = Entry(
    "RHO-2405", "there is no conversation {name}", "nothing of it lies here", "rho talk list shows what there is"
)
WHICH_TALK = Entry(
    "RHO-2406", "it is not said which conversation", "there are several: {names}",
    "say --wallet NAME, or one of these ids", USAGE,
)
RECORD_ABSENT = Entry(
    "RHO-2407", "the conversation never was like that", "{why}", "rho talk show counts its records", USAGE
)
TALK_WRONG = Entry(
    "RHO-2408", "{path} does not hold", "{why}", "ask whoever gave it to you for it again, whole", UNVERIFIED
)
TALK_FILE = Entry("RHO-2409", "{path} cannot be used", "{why}", "name another file")
ROOT_OTHER = Entry(
    "RHO-2410", "{path} is about another root", "it has {found}",
    "what holds is another conversation, or was rewritten: ask for a proof --since what you know", UNVERIFIED,
)
TALK_APART = Entry(
    "RHO-2411", "{peer} has another conversation than this wallet", "records went both ways and the roots still differ",
    "try again; if it stays so, the other side keeps or makes records that it does not show", UNVERIFIED,
)

# --- the directory ---------------------------------------------------------------------------------------------------

KEY_ABSENT = Entry(
    "RHO-2601", "{key} is not in the directory", "no record of it has come here; {count} others have",
    "rho bundle import takes one that its owner gives you; or say where it is: --at NODE@HOST:PORT",
)
KEY_WITHDRAWN = Entry(
    "RHO-2602", "{key} is nowhere to be found", "its owner took back on {day} where it was",
    "ask its owner, or say where it is: --at NODE@HOST:PORT",
)
RELAY_ABSENT = Entry(
    "RHO-2603", "the node of {key} is not in the directory", "its record names {node}, and no record of that came here",
    "ask its owner for a bundle with both records; or say where it is: --at NODE@HOST:PORT",
)
NO_WAY = Entry(
    "RHO-2604", "{key} cannot be reached from here", "its record names no address that this process has a network for",
    "see where it is: rho dir lookup {key}",
)
PUBLISH_REFUSED = Entry("RHO-2605", "the record of {key} is not taken", "{why}", "{hint}")
NOTHING_PUBLISHED = Entry(
    "RHO-2606", "{key} has no record to take back", "nothing of it was published, or it has expired", "rho publish"
)
ENDPOINT_WRONG = Entry(
    "RHO-2607", "{text} is no address for a record", "{why}", "such as udp:203.0.113.5:7460 or tcp:[2001:db8::1]:7460",
    USAGE,
)
NO_ADDRESS = Entry(
    "RHO-2608", "this process has no address to publish", "it listens at nothing that others could name",
    "say how others reach it: --address udp:HOST:PORT",
)
BUNDLE_NONE = Entry("RHO-2609", "{path} holds no bundle", "{why}", "copy it again, whole, from rho1. to the last dot")
BUNDLE_LONG = Entry(
    "RHO-2610", "{path} is too long to be looked at", "it has more than {most} bytes",
    "give the files that rho bundle export made one at a time",
)
BUNDLE_UNREADABLE = Entry("RHO-2611", "{path} cannot be read", "{why}", "name a file with text, or - for a paste")
BUNDLE_UNWRITABLE = Entry("RHO-2617", "{path} cannot be written", "{why}", "name another file, or make room")
BUNDLE_EMPTY = Entry(
    "RHO-2612", "there is no record to give away", "the directory here is empty", "rho publish makes one", USAGE
)
BUNDLE_MORE = Entry(
    "RHO-2613", "the directory is too large for one bundle", "{count} records fit one, and there are more",
    "name a file, and the next ones get numbers: rho bundle export --all -o FILE", USAGE,
)
PEER_WRONG = Entry("RHO-2615", "{text} is no peer", "{why}", "such as rho1n…@192.0.2.1:7460", USAGE)
NO_PEER = Entry(
    "RHO-2616", "there is no peer to compare with", "none is known, or none has answered yet",
    "name one: rho dir sync --at NODE@HOST:PORT; or start with --peer NODE@HOST:PORT",
)
DIRECTORY_OUT = Entry(
    "RHO-2614", "the directory cannot be used now", "{why}", "see its log and rho status; then try again"
)

# --- our own mistakes ------------------------------------------------------------------------------------------------

BUG = Entry(
    "RHO-9001", "something went wrong that should not be possible", "{why}",
    "run it again with --debug and report what it prints",
)
INTERRUPTED_BY_USER = Entry(
    "RHO-9002", "interrupted", "you stopped it", "nothing was lost; run it again", INTERRUPTED
)

ENTRIES: dict[str, Entry] = {
    value.code: value for value in tuple(globals().values()) if isinstance(value, Entry)
}
"""All entries by code."""
