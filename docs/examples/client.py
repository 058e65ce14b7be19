#!/usr/bin/env python3
"""A complete Partita client without dependencies: opens two accounts and moves 125 from one to the other."""
import secrets, socket, struct, sys, time, zlib

HEADER = struct.Struct("<4sHHIIQQQ16xI")  # 60 bytes; the header's own CRC-32 follows
ACCOUNT = struct.Struct("<16s64s16sQIIIHHQ")
TRANSFER = struct.Struct("<16s16s16s16s16s16sQIIIHHQ")
BLOCK = 8192
CREATED, EXISTS = 0xFFFFFFFF, {0x10: 21, 0x11: 46}


def u128(value):
    return value.to_bytes(16, "little")


def checksum(body):
    if len(body) <= BLOCK:
        return zlib.crc32(body)
    sums = (zlib.crc32(body[at:at + BLOCK]) for at in range(0, len(body), BLOCK))
    return zlib.crc32(b"".join(struct.pack("<I", one) for one in sums))


class Client:
    def __init__(self, host="127.0.0.1", port=7400, cluster=0):
        self.socket = socket.create_connection((host, port), timeout=10)
        self.correlation = 0
        hello = struct.pack("<HHIQ16s32s", 1, 1, 0, 0, u128(cluster), b"example.py")
        reply, _ = self.call(0x0001, hello, version=0)
        self.version, _, self.body_max, self.events_max, self.in_flight_max = struct.unpack_from("<HHIII", reply)

    def read(self, count):
        data = bytearray()
        while len(data) < count:
            chunk = self.socket.recv(count - len(data))
            if not chunk:
                raise ConnectionError("closed: the outcome of what was sent is unknown")
            data += chunk
        return bytes(data)

    def call(self, kind, body=b"", flags=0, version=1):
        """One request and its reply: (body, log op that it reflects)."""
        self.correlation += 1
        head = HEADER.pack(b"PRTA", version, kind, flags, len(body), self.correlation, 0, 0, checksum(body))
        self.socket.sendall(head + struct.pack("<I", zlib.crc32(head)) + body)
        head = self.read(64)
        magic, _, kind, _, size, correlation, op, _, body_sum = HEADER.unpack(head[:60])
        if magic != b"PRTA" or zlib.crc32(head[:60]) != struct.unpack("<I", head[60:])[0]:
            raise ConnectionError("not a Partita frame")
        body = self.read(size)
        if checksum(body) != body_sum:
            raise ConnectionError("damaged body")
        if kind == 0x80FF:
            code, error_flags, _, _ = struct.unpack_from("<IIII", body)
            outcome = "nothing happened" if error_flags & 2 else "outcome unknown"
            raise RuntimeError(f"error {code} ({outcome}): {body[16:].decode(errors='replace')}")
        assert correlation == self.correlation
        return body, op

    def create(self, kind, records):
        """[(timestamp, status)] of create_accounts (0x10) or create_transfers (0x11)."""
        body, _ = self.call(kind, b"".join(records))
        return [result[:2] for result in struct.iter_unpack("<QII", body)]


def account(id, ledger, code, flags=0):
    return ACCOUNT.pack(u128(id), bytes(64), bytes(16), 0, 0, 0, ledger, code, flags, 0)


def transfer(id, debit, credit, amount, ledger, code, pending_id=0, timeout=0, flags=0):
    ids = [u128(value) for value in (id, debit, credit, amount, pending_id, 0)]
    return TRANSFER.pack(*ids, 0, 0, timeout, ledger, code, flags, 0)


def new_id():
    """Unique, and roughly ordered by time, which is kind to the server's indexes."""
    return (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)


if __name__ == "__main__":
    host, _, port = (sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:7400").rpartition(":")
    client, cash, sales = Client(host, int(port)), new_id(), new_id()
    for kind, records in [(0x10, [account(cash, 700, 10), account(sales, 700, 20)]),
                          (0x11, [transfer(new_id(), cash, sales, 125, 700, 1)])]:
        for timestamp, status in client.create(kind, records):
            assert status in (CREATED, EXISTS[kind]), f"refused with status {status}"
    body, op = client.call(0x20, u128(cash) + u128(sales))
    for record in (body[at:at + 128] for at in range(0, len(body), 128)):
        counters = [int.from_bytes(record[at:at + 16], "little") for at in range(0, 80, 16)]
        print(f"op {op}: account {counters[0]:x} debits {counters[2]} credits {counters[4]}")
