#!/usr/bin/env python3
"""What dunlin serve does with clients that are slow, half gone, too many or strange, and with signals.
Usage: serve_clients.py DUNLIN FIXTURES

Who is to be cut off is; who asked rightly is answered, and so is everybody else meanwhile. Nothing is measured: what
has to end must end at all.
"""

import concurrent.futures
import contextlib
import http.client
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import time

from served import Server, WAIT, check, dunlin, expected, make_run, run

TEXT = {"text": "then the inn"}
BODY = json.dumps(TEXT).encode()
ROOM = 512  # more connections than stay
HEAD = b"POST /classify HTTP/1.1\r\nHost: x\r\n"


def request(*fields, body=BODY, head=HEAD):
    """A request with the body's length among its fields."""
    return head + b"".join(field + b"\r\n" for field in (*fields, b"Content-Length: %d" % len(body))) + b"\r\n" + body


def chunked(*parts, fields=(), end=b"0\r\n\r\n"):
    return request_head(b"Transfer-Encoding: chunked", *fields) + b"".join(
        b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + end


def request_head(*fields):
    return HEAD + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


ONE = request()
CLOSE = "half-close"  # among what a client sends: he closes his side


def dial(server, address="127.0.0.1"):
    return socket.create_connection(("127.0.0.1", server.port), WAIT, (address, 0))


def send(client, *parts):
    for part in parts:
        if part is CLOSE:
            client.shutdown(socket.SHUT_WR)
        else:
            client.sendall(part)


def replies(client, n):
    """n answers on a connection: (status, body), or (0, what is wrong)."""
    found = []
    file = client.makefile("rb")
    for _ in range(n):
        try:
            line = file.readline()
            status = int(line.split()[1]) if line else 0
            length = 0
            while status and (field := file.readline().strip()):
                name, _, value = field.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            found.append((status, file.read(length)))
        except (OSError, ValueError, IndexError) as error:
            found.append((0, str(error)))
    return found


def ended(client):
    """Whether the connection is at its end, once what was sent on it has been read."""
    try:
        while client.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


# --- clients that are cut off: what they send at first, and then again and again

CUT_OFF = {
    "sends nothing": (b"", None),
    "a head, a byte at a time": (b"", b"P"),
    "a header field, a byte at a time": (HEAD + b"X-A: ", b"a"),
    "header fields without end": (HEAD, b"X: y\r\n"),
    "empty lines without end": (b"", b"\r\n"),
    "half a head": (HEAD, None),
    "half a head, half-closed": (HEAD, CLOSE),
    "half a body, half-closed": (ONE[:-1], CLOSE),
    "a head without its body": (request_head(b"Content-Length: 100"), None),
    "a body, a byte at a time": (request_head(b"Content-Length: 100000"), b" "),
    "chunks, a byte at a time": (request_head(b"Transfer-Encoding: chunked"), b"1\r\n \r\n"),
    "a chunk's extension without end": (request_head(b"Transfer-Encoding: chunked") + b"1;", b"a"),
    "trailers without end": (chunked(BODY, end=b"0\r\n"), b"X: y\r\n"),
    "a body to a path that takes none": (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n", b" "),
    "a refused body, a byte at a time": (request_head(b"Content-Encoding: br", b"Content-Length: 100000"), b" "),
    "no body after 100": (request_head(b"Expect: 100-continue", b"Content-Length: 100"), None),
    "idle after an answer": (ONE, None),
    "slow after an answer": (ONE, b"P"),
    "slow after two answers in one packet": (ONE + ONE, b"P"),
}


def go_on(client, again):
    """Whether the client is cut off while he goes on."""
    if again is CLOSE:
        client.shutdown(socket.SHUT_WR)
        again = None
    limit = time.monotonic() + WAIT
    while time.monotonic() < limit:
        try:
            if again:
                client.sendall(again)
            if select.select([client], [], [], 0.1)[0] and not client.recv(65536):
                return True
        except OSError:
            return True
    return False


def never_reads(server):
    """A client that asks again and again and takes no answer: whether he is cut off."""
    many = request(body=json.dumps({"texts": ["x"] * 200}).encode())
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", server.port))
        client.settimeout(WAIT)
        try:
            while True:
                client.sendall(many)
        except TimeoutError:
            return False
        except OSError:
            return True


def test_cut_off(answer):
    server = Server("--timeout", "2")
    with concurrent.futures.ThreadPoolExecutor(len(CUT_OFF) + 1) as pool, contextlib.ExitStack() as stack:
        jobs = {"takes no answer": pool.submit(never_reads, server)}
        for name, (first, again) in CUT_OFF.items():
            client = stack.enter_context(dial(server))
            client.sendall(first)
            jobs[name] = pool.submit(go_on, client, again)
        while not all(job.done() for job in jobs.values()):
            check(server.classify(TEXT) == answer, "an answer beside slow clients")
            time.sleep(0.05)
        for name, job in jobs.items():
            check(job.result(), f"{name}: not cut off")
    server.end()


# --- clients that are answered: what they send, and the statuses of what they get until the end

GOOD = [200]
ANSWERED = {
    "one": ((ONE,), GOOD),
    "one, half-closed": ((ONE, CLOSE), GOOD),
    "two in one packet": ((ONE + ONE,), GOOD * 2),
    "two in one packet, half-closed": ((ONE + ONE, CLOSE), GOOD * 2),
    "five and a half, half-closed": ((ONE * 5 + ONE[:-1], CLOSE), GOOD * 5),
    "a byte at a time": ([ONE[i : i + 1] for i in range(len(ONE))], GOOD),
    "a byte at a time, half-closed": ([*(ONE[i : i + 1] for i in range(len(ONE))), CLOSE], GOOD),
    "nothing, half-closed": ((CLOSE,), []),
    "chunked": ((chunked(BODY),), GOOD),
    "chunked, a byte a chunk, half-closed": (
        (chunked(*(BODY[i : i + 1] for i in range(len(BODY)))), CLOSE), GOOD),
    "a chunk's extension and a trailer": (
        (request_head(b"Transfer-Encoding: chunked") + b"%x;a=b\r\n%s\r\n0\r\nX: y\r\n\r\n" % (len(BODY), BODY),), GOOD),
    "HTTP/1.0, half-closed": ((ONE.replace(b"1.1", b"1.0"), CLOSE), GOOD),
    "the page, half-closed": ((b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", CLOSE), GOOD),
    "the page, with a body": ((b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello" + ONE,), GOOD * 2),
    "not JSON, half-closed": ((request(body=b"x"), CLOSE), [400]),
    "refused, then right": ((request(body=b"x") + ONE,), [400, 200]),
    "another path, with a body": ((ONE.replace(b"/classify", b"/nothing") + ONE,), [404, 200]),
    "another method, with a body": ((ONE.replace(b"POST", b"PUT") + ONE,), [405, 200]),
    "too large, then right": ((request(body=b"x" * 20000) + ONE,), [413, 200]),
    "too large in chunks, then right": ((chunked(*[b"x" * 1000] * 20) + ONE,), [413, 200]),
    "far too large in chunks": ((chunked(*[b"x" * 1000] * 400),), []),
    "packed, then right": ((request(b"Content-Encoding: gzip") + ONE,), [415, 200]),
    "100 first": ((request_head(b"Expect: 100-continue", b"Content-Length: %d" % len(BODY)), BODY), [100, 200]),
    "no 100: too large": ((request_head(b"Expect: 100-continue", b"Content-Length: 20000"),), [413]),
    "no 100: packed": ((request_head(b"Expect: 100-continue", b"Content-Encoding: br", b"Content-Length: 9"),), [415]),
    "no 100: another path": (
        (request_head(b"Expect: 100-continue", b"Content-Length: 9").replace(b"classify", b"x"),), [404]),
    "a length and chunks": ((request(b"Transfer-Encoding: chunked"),), [400]),
    "another transfer coding": ((request_head(b"Transfer-Encoding: gzip, chunked"),), [501]),
    "a length that is none": ((request_head(b"Content-Length: 1x"),), [400]),
    "a negative length": ((request_head(b"Content-Length: -1"),), [400]),
    "a length beyond numbers": ((request_head(b"Content-Length: 99999999999999999999999"),), [413]),
    "a chunk beyond numbers": ((request_head(b"Transfer-Encoding: chunked") + b"f" * 40 + b"\r\n",), [413]),
    "a chunk that is no number": ((request_head(b"Transfer-Encoding: chunked") + b"zz\r\n",), [400]),
    "garbage": ((b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",), None),
    "zeros": ((b"\0" * 100 + b"\r\n\r\n",), None),
    "a head without end": ((HEAD + b"X-A: " + b"a" * 100000,), None),
}


def test_answered(server, answer):
    """Beside others who are idle: the web server looks first at who has been idle longest, and takes another way with
    him."""
    idle = [dial(server) for _ in range(3)]
    for name, (parts, wanted) in ANSWERED.items():
        with dial(server) as client:
            try:
                send(client, *parts)
            except OSError:
                check(wanted is None or wanted == [], f"{name}: cut off while sending")
            found = replies(client, len(wanted)) if wanted is not None else []
            check([status for status, _ in found] == (wanted or []), f"{name}: {found}, expected {wanted}")
            for status, body in found:
                check(status != 200 or b"<title>" in body or json.loads(body) == answer, f"{name}: {body}")
            if CLOSE in parts:
                check(ended(client), f"{name}: no end")
        check(server.classify(TEXT) == answer, f"{name}: an answer afterwards")
    for client in idle:
        client.close()


MEDIA = (
    (200, "Content-Encoding", ("identity", "IDENTITY", "", "identity, identity")),
    (415, "Content-Encoding", ("gzip", "x-gzip", "GZIP", "br", "deflate", "zstd", "compress", "identity, gzip",
                               "gzip,identity", "aes128gcm")),
    (200, "Content-Type", ("application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8",
                           'application/json; charset="utf-8"', "application/json; CHARSET=utf8",
                           "application/json; charset=us-ascii", "text/plain", "application/x-www-form-urlencoded", "",
                           "application/json;", "application/json; x=y; charset=utf-8", "application/json; charset=")),
    (415, "Content-Type", ("application/json; charset=iso-8859-1", "application/json; charset=utf-16",
                           "text/plain;charset=windows-1252", 'application/json; charset="latin1"',
                           "application/json; x=y; charset=utf-7", "application/json; charset=utf-32; x=y",
                           "application/json; charset=\"utf-8", "application/json; charset=utf-88")),
)


def test_media(server, answer):
    for wanted, name, values in MEDIA:
        for value in values:
            status, headers, body = server.ask("POST", "/classify", BODY, {name: value})
            check(status == wanted, f"{name}: {value!r}: status {status}, expected {wanted}")
            document = json.loads(body)
            check(document == answer if wanted == 200 else document["error"], f"{name}: {value!r}: {body}")
            check(wanted == 200 or headers["Accept-Encoding" if "Enc" in name else "Accept"],
                  f"{name}: {value!r}: not said what is read")


# --- connections that fill the server

FILLERS = {
    "nothing": (b"",),
    "half a head": (HEAD,),
    "half a body": (ONE[:-1],),
    "a refused head": (request_head(b"Content-Encoding: br", b"Content-Length: 9"),),
    "answered": (ONE,),
    "a byte of a chunk": (request_head(b"Transfer-Encoding: chunked") + b"1",),
}


def test_full(server, answer):
    """More connections than there is room for, all at their start: the first of them make room."""
    for name, parts in FILLERS.items():
        with contextlib.ExitStack() as stack:
            clients = []
            for i in range(ROOM + 40):
                clients.append(stack.enter_context(dial(server)))
                send(clients[-1], *parts)
                if i % 100 == 0:
                    check(server.classify(TEXT) == answer, f"full of {name}: an answer")
            check(server.classify(TEXT) == answer, f"full of {name}: an answer at the end")
            check(ended(clients[0]), f"full of {name}: the first is still there")
            if name == "nothing":
                send(clients[-1], ONE)
                check([status for status, _ in replies(clients[-1], 1)] == GOOD, f"full of {name}: the last is gone")


def test_few_files(answer):
    """The same where the system allows few open files."""
    server = Server(files=72)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(dial(server)) for _ in range(150)]
        check(server.classify(TEXT) == answer, "few files: an answer")
        check(ended(clients[0]), "few files: the first is still there")
    server.end()
    result = subprocess.run(["bash", "-c", 'ulimit -n 20; exec "$0" serve run --port 0', dunlin], timeout=WAIT,
                            stderr=subprocess.PIPE, text=True, check=False)
    check(result.returncode in (1, 3, 4) and "dunlin: " in result.stderr, f"hardly any files: {result}")


def test_per_address(answer):
    server = Server("--per-address", "3")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(dial(server, "127.0.0.2")) for _ in range(3)]
        for client in clients:
            send(client, ONE)
            check([status for status, _ in replies(client, 1)] == GOOD, "the first three of an address")
        with dial(server, "127.0.0.2") as fourth:
            check(ended(fourth), "the fourth of an address is let in")
        with dial(server, "127.0.0.3") as other:
            send(other, ONE)
            check([status for status, _ in replies(other, 1)] == GOOD, "another address")
        check(server.classify(TEXT) == answer, "one more address")
        send(clients[0], CLOSE)
        check(ended(clients[0]), "the first ends")
        found = []
        for _ in range(WAIT * 10):  # its place is free a moment after its end
            with dial(server, "127.0.0.2") as again:
                with contextlib.suppress(OSError):
                    send(again, ONE)
                found = [status for status, _ in replies(again, 1)]
            if found == GOOD:
                break
            time.sleep(0.1)
        check(found == GOOD, "a place that became free")
    server.end()


# --- signals: what a kept connection has sent when the signal comes, what it sends then, and its answers

AT_END = {
    "nothing": (b"", b"", []),
    "a request": (ONE, b"", GOOD),
    "three requests": (ONE * 3, b"", GOOD),  # the first answer is the last
    "half a head": (HEAD, b"", []),
    "half a body, and the rest": (ONE[:-9], ONE[-9:], GOOD),
    "half a body": (ONE[:-9], b"", []),
    "a refused request": (request(body=b"x"), b"", [400]),
    "the page": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"", GOOD),
}


def test_signals(answer):
    for which in (signal.SIGTERM, signal.SIGINT):
        for name, (before, after, wanted) in AT_END.items():
            server = Server("--timeout", "3")
            with dial(server) as client:
                send(client, ONE)
                check([status for status, _ in replies(client, 1)] == GOOD, f"{name}: the request before")
                send(client, before)
                if after or name == "half a body":
                    server.has_read(client)
                server.process.send_signal(which)
                send(client, after)
                found = replies(client, len(wanted))
                check([status for status, _ in found] == wanted, f"{which}, {name}: {found}, expected {wanted}")
                check(ended(client), f"{which}, {name}: no end")
            server.process.communicate(timeout=WAIT)
            check(server.process.returncode == 0, f"{which}, {name}: ended with {server.process.returncode}")


def takes_signals(process):
    """Whether the server has got as far as to take SIGTERM itself, which it does with a thread that waits for it."""
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        blocked = next(line.split()[1] for line in file if line.startswith("SigBlk"))
    return int(blocked, 16) >> (signal.SIGTERM - 1) & 1


def test_signal_while_loading():
    process = subprocess.Popen([dunlin, "serve", "run", "--port", "0"], stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not takes_signals(process):
        time.sleep(0.001)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=WAIT)[1]
    check(process.returncode == 0 and "dunlin:" not in said, f"while it loads: {process.returncode}: {said}")


def test_second_signal():
    server = Server("--timeout", "3600")
    with dial(server) as client:
        send(client, ONE[:-9])
        server.has_read(client)  # and waits for the rest
        server.process.send_signal(signal.SIGTERM)
        for line in server.process.stderr:
            if "closing" in line:
                break
        server.process.send_signal(signal.SIGTERM)
        server.process.communicate(timeout=WAIT)
        check(server.process.returncode == -signal.SIGTERM, f"a second signal: {server.process.returncode}")


def test_deaf():
    """Nobody listens to stderr any more."""
    server = Server()
    server.process.stderr.close()
    server.process.send_signal(signal.SIGTERM)
    check(server.process.wait(WAIT) == 0, f"stderr is closed: ended with {server.process.returncode}")


def first_process():
    """The words that make what follows process 1 of its own; None where that is not allowed."""
    words = ["unshare", "--pid", "--fork", "--kill-child"]
    for more in ([], ["--user", "--map-root-user"]):
        if shutil.which("unshare") and subprocess.run([*words, *more, "true"], stderr=subprocess.DEVNULL,
                                                      check=False).returncode == 0:
            return words + more
    return None


def test_first_process(answer):
    words = first_process()
    if not words:
        print("skipped: as process 1 (unshare is not allowed here)")
        return
    for twice in (False, True):
        server = Server("--timeout", "3600", before=words)
        with open(f"/proc/{server.process.pid}/task/{server.process.pid}/children", encoding="ascii") as file:
            inside = int(file.read().split()[0])
        check(server.classify(TEXT) == answer, "as process 1: an answer")
        with dial(server) as client:
            if twice:
                send(client, ONE[:-9])
                server.has_read(client)
            os.kill(inside, signal.SIGTERM)
            if twice:
                for line in server.process.stderr:
                    if "closing" in line:
                        break
                os.kill(inside, signal.SIGTERM)
            server.process.communicate(timeout=WAIT)
        wanted = 128 + signal.SIGTERM if twice else 0
        check(server.process.returncode == wanted, f"as process 1: {server.process.returncode}, expected {wanted}")


def main():
    make_run()
    answer = expected([TEXT["text"]])[0]
    server = Server("--max-body", "16")
    test_answered(server, answer)
    test_media(server, answer)
    test_full(server, answer)
    server.end()
    test_cut_off(answer)
    test_few_files(answer)
    test_per_address(answer)
    test_signals(answer)
    test_signal_while_loading()
    test_second_signal()
    test_deaf()
    test_first_process(answer)


run(main)
