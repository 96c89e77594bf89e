#!/usr/bin/env python3
"""dunlin serve from outside, on loopback, with a tiny model. Usage: serve.py DUNLIN FIXTURES

What is good, what is refused and with which status, requests at the same time (their answers must be those of
classify, to the last digit), clients that are slow or go away, and the end with requests under way.
"""

import concurrent.futures
import http.client
import json
import shutil
import signal
import socket
import subprocess

from served import Server, WAIT, check, dunlin, expected, make_run, run

N_NOTICED, MAX_TRIES = 10, 120


def test_good(server, texts, answers):
    for text, answer in zip(texts[:8], answers):
        check(server.classify({"text": text}) == answer, f"the answer to {text[:40]!r} is not classify's")
    check(server.classify({"texts": texts}) == {"answers": answers}, "many texts: other answers than one by one")
    check(server.classify({"texts": []}) == {"answers": []}, "no texts")
    status, headers, body = server.ask("GET", "/")
    check(status == 200 and "text/html" in headers["Content-Type"], "GET / is no page")
    check("default-src 'none'" in headers["Content-Security-Policy"], "GET / may load from elsewhere")
    check(b"<title>dunlin</title>" in body and b"http" not in body, "the page")
    status, _, body = server.ask("GET", "/health")
    health = json.loads(body)
    check(status == 200 and health["status"] == "ok" and health["classes"] == ["no", "yes"], f"health: {body}")
    check(server.ask("HEAD", "/")[0] == 200, "HEAD /")


def test_map(server):
    """Held-out texts lie on the map where the training left them; who does not ask for places gets none."""
    status, _, body = server.ask("GET", "/map")
    plane = json.loads(body)
    check(status == 200 and plane["classes"] == ["no", "yes"] and len(plane["cx"]) == len(plane["cy"]) == 2, f"map: {body[:80]}")
    check(len(plane["x"]) == len(plane["y"]) == len(plane["label"]) == 12, "the map has not the run's held-out texts")
    with open("data.tsv", encoding="utf-8") as file:
        texts = [line.split("\t")[0] for line in file]
    answers = server.classify({"texts": texts, "map": True})["answers"]
    for i, answer in enumerate(answers):
        found = answer.pop("map")
        check(all(abs(a - b) < 1e-3 * (1 + abs(b)) for a, b in zip(found, (plane["x"][i], plane["y"][i]))),
              f"text {i} lies at {found}, the training left it at {plane['x'][i]}, {plane['y'][i]}")
    check(server.classify({"texts": texts}) == {"answers": answers}, "the same without places")
    check(len(server.classify({"text": "", "map": True})["map"]) == 2, "a text's place")


def test_bodies(server):
    """Marks, encodings and line ends are those of files; text/plain is a text a line unless it begins with a brace."""
    one, several = {"text": "the inn \u00e9"}, {"texts": ["the inn \u00e9", "", "zz"]}
    alone, together = server.classify(one), server.classify(several)
    text, lines = json.dumps(one, ensure_ascii=False), "the inn \u00e9\n\nzz"
    for kind, body, wanted in (
            ("application/json", text.encode("utf-8-sig"), alone), ("application/json", text.encode("utf-16"), alone),
            ("", b"\xfe\xff" + text.encode("utf-16-be"), alone), ("text/plain", text.encode("utf-16"), alone),
            ("", b'{"id": 1234567890123456789, ' + text.encode()[1:], alone),
            ("text/plain", text.encode(), alone), ("text/plain", b" \r\n" + text.encode("utf-8"), alone),
            ("text/plain", lines.encode(), together),
            ("text/plain; charset=utf-8", lines.encode("utf-8-sig"), together),
            ("TEXT/PLAIN", lines.replace("\n", "\r\n").encode() + b"\r\n", together),
            ("text/plain", lines.replace("\n", "\r").encode(), together),
            ("text/plain", lines.encode("utf-16"), together),
            ("text/plain", b"", {"answers": []})):
        status, _, reply = server.ask("POST", "/classify", body, {"Content-Type": kind})
        check(status == 200 and json.loads(reply) == wanted, f"{kind}: {body[:40]}: {status} {reply}")
    for kind, body in (("text/plain", b"{"), ("text/plain", b"\x1f\x8b\x08\0"), ("application/json", lines.encode()),
                       ("application/json", text.encode("utf-32")), ("application/json", b"\xff\xfe{"),
                       ("text/plain", b"PK\x03\x04"), ("text/plain", b"a\n" * 41 + b"PK")):
        status, _, reply = server.ask("POST", "/classify", body, {"Content-Type": kind})
        check(status == (413 if body[:1] == b"a" else 400), f"{kind}: {body[:40]}: {status} {reply}")


def test_refused(server):
    for body in (b"", b"x", b"[]", b"{}", b'{"text": 1}', b'{"text": "a", "texts": []}', b'{"texts": ["a", null]}',
                 b'{"texts": "a"}', b'{"text": "\xff"}', b'{"text": "\\ud800"}', b'{"text": "a"} x',
                 b"[" * 1000, b'{"text": "\\u0000"}', b'{"text": "a", "text": "b"}'):
        status, _, reply = server.ask("POST", "/classify", body)
        check(status == 400 and json.loads(reply)["error"], f"status {status} for the body {body[:40]}")
    for method, path, wanted in (("GET", "/classify", 405), ("PUT", "/", 405), ("POST", "/health", 405),
                                 ("GET", "/nothing", 404), ("POST", "/classify/", 404), ("GET", "/../etc/passwd", 404)):
        status, headers, _ = server.ask(method, path, b"{}" if method != "GET" else None)
        check(status == wanted, f"{method} {path}: status {status}, expected {wanted}")
        check(wanted != 405 or headers["Allow"], f"{method} {path}: no Allow")
    status, _, _ = server.ask("POST", "/classify", json.dumps({"text": "x" * 20000}).encode())
    check(status == 413, f"a body over the limit: status {status}")
    status, _, _ = server.ask("POST", "/classify", json.dumps({"texts": ["x"] * 41}).encode())
    check(status == 413, f"too many texts: status {status}")
    head = b"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), WAIT) as client:
        client.sendall(head)
        check(b" 413 " in client.recv(4096), "a body that is announced far too large")


def test_concurrent(server, texts, answers):
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        jobs = []
        for i in range(96):
            n = i % 5
            which = [(7 * i + j) % len(texts) for j in range(n)]
            if n == 0:
                jobs.append((pool.submit(server.classify, {"text": texts[i % len(texts)]}), answers[i % len(texts)]))
            else:
                wanted = {"answers": [answers[j] for j in which]}
                jobs.append((pool.submit(server.classify, {"texts": [texts[j] for j in which]}), wanted))
        wrong = sum(job.result() != wanted for job, wanted in jobs)
    check(wrong == 0, f"{wrong} of 96 requests at the same time have other answers than alone")


def test_bad_clients(server, texts, answers):
    """Half a head, half a body, gone before the answer: others are served meanwhile and afterwards."""
    body = json.dumps({"texts": texts}).encode()
    head = f"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    slow = [socket.create_connection(("127.0.0.1", server.port), WAIT) for _ in range(6)]
    for client, part in zip(slow, (b"POST /cl", head[:-2], head, head + body[:9], head + body, head + body)):
        client.sendall(part)
    slow[5].close()
    slow[4].close()
    check(server.classify({"text": texts[0]}) == answers[0], "an answer beside slow clients")
    slow[3].sendall(body[9:])
    reply = http.client.HTTPResponse(slow[3])
    reply.begin()
    check(json.loads(reply.read()) == {"answers": answers}, "the answer to a slow client")
    for client in slow[:4]:
        client.close()
    garbage = socket.create_connection(("127.0.0.1", server.port), WAIT)
    garbage.sendall(b"nonsense\r\n\r\n")
    garbage.recv(4096)
    garbage.close()
    check(server.classify({"text": texts[1]}) == answers[1], "an answer after bad clients")


def test_timeout():
    """A client that stops in the middle is cut off, and the server goes on."""
    server = Server("--timeout", "1")
    with socket.create_connection(("127.0.0.1", server.port), WAIT) as client:
        client.sendall(b"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        data = b"x"
        while data:
            try:
                data = client.recv(4096)
            except ConnectionError:
                break
    check(server.ask("GET", "/health")[0] == 200, "health after a client was cut off")
    server.end()


def test_end(texts, answers, which):
    """A signal while requests are under way: they are answered, then nobody listens any more."""
    server = Server()
    body = json.dumps({"texts": texts}).encode()
    head = f"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    clients = [socket.create_connection(("127.0.0.1", server.port), WAIT) for _ in range(8)]
    for client in clients:
        client.sendall(head + body[:20])
    server.has_read(*clients)  # one that has not begun is refused with 503
    server.process.send_signal(which)
    for client in clients:
        client.sendall(body[20:])
    statuses = []
    for client in clients:
        reply = http.client.HTTPResponse(client)
        reply.begin()
        statuses.append(reply.status)
        if reply.status == 200:
            check(json.loads(reply.read()) == {"answers": answers}, "an answer while the server closes")
        client.close()
    check(set(statuses) <= {200, 503} and 200 in statuses, f"statuses while the server closes: {statuses}")
    out, err = server.process.communicate(timeout=WAIT)
    check(server.process.returncode == 0, f"ended with {server.process.returncode}: {err[-400:]}")
    try:
        socket.create_connection(("127.0.0.1", server.port), WAIT).close()
        check(False, "somebody still listens")
    except ConnectionRefusedError:
        pass


def test_no_map():
    """A run without a projection is served without a map, with a damaged one as well, which is said."""
    shutil.move("run/projection.safetensors", "kept")
    for damaged in (False, True):
        if damaged:
            with open("run/projection.safetensors", "wb") as file:
                file.write(b"nothing")
        server = Server()
        check(server.ask("GET", "/map")[0] == 404, "a map of nothing")
        check("map" not in server.classify({"text": "then", "map": True}), "a place on no map")
        check(("the page has no map" in server.said) == damaged, f"what is said of the map: {server.said}")
        server.end()
    shutil.move("kept", "run/projection.safetensors")


def test_start():
    """What cannot be served, and where."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    for wanted, arguments in ((1, ["run", "--port", str(taken.getsockname()[1])]), (2, ["tiny.ini", "--port", "0"]),
                              (2, ["run", "--port", "70000"]), (2, ["run", "--host", "no.such.host.invalid"]),
                              (2, ["run", "--port", "0", "--unsure", "x"]), (3, ["nothing", "--port", "0"])):
        result = subprocess.run([dunlin, "serve", *arguments], stderr=subprocess.PIPE, timeout=WAIT, check=False)
        if wanted == 3 and result.returncode == 2:  # a path that is neither folder nor file is read as a config
            wanted = 2
        check(result.returncode == wanted, f"serve {arguments}: {result.returncode}, expected {wanted}")
    taken.close()
    server = Server("--host", "0.0.0.0", "--unsure", "1")
    check("other machines" in server.said, "no warning about other machines")
    check(server.classify({"text": "then"})["label"] == "unsure", "nothing is sure")
    server.end(signal.SIGINT)


def serve_with_fault(n):
    """The n-th operation of a server fails. It ends in good order all the same, by itself when its device fails.
    Returns whether it served, and whether a request noticed."""
    server = Server(fail_at=n)
    body = json.dumps({"texts": ["then the inn", "x"]}).encode()
    device_failed = noticed = False
    for _ in range(4 if server.port else 0):
        try:
            status, _, reply = server.ask("POST", "/classify", body)
            check(status in (200, 500, 503), f"status {status} with operation {n} failing: {reply[:80]}")
            device_failed = device_failed or b"the device failed" in reply
            noticed = noticed or status != 200
        except (ConnectionError, http.client.HTTPException):  # out of memory for the answer, or the server ends
            noticed = True
    if server.port and not device_failed:
        server.process.send_signal(signal.SIGTERM)
    server.said += server.process.communicate(timeout=WAIT)[1]
    code, spoke = server.process.returncode, "dunlin: " in server.said
    allowed = (1, 3, 4) if not server.port else (1, 4) if device_failed else (0,)
    check(code in allowed and spoke == (code != 0), f"operation {n} failed: ended with {code}: {server.said[-300:]}")
    return server.port is not None, noticed


def test_faults():
    """One operation after another fails: in long steps until a request notices, then in short ones."""
    n, tries, noticed = 1, 0, 0
    while noticed < N_NOTICED and tries < MAX_TRIES:
        served, hit = serve_with_fault(n)
        noticed += served and hit
        n += 5 if noticed else 29
        tries += 1
    check(noticed == N_NOTICED, f"of {tries} failing operations up to number {n} requests noticed {noticed}")


def main():
    words = "then the inn qqzz qz xx in zz".split()
    make_run()
    texts = [" ".join(words[(i * j) % len(words)] for j in range(i % 13)) for i in range(36)]
    texts += ["", "<b>\x1b[31m", "\N{GRINNING FACE} \u05e9", "x" * 5000]
    answers = expected(texts)
    server = Server("--max-body", "16", "--max-texts", "40")
    test_good(server, texts, answers)
    test_map(server)
    test_bodies(server)
    test_refused(server)
    test_concurrent(server, texts, answers)
    test_bad_clients(server, texts, answers)
    server.end()
    test_timeout()
    test_no_map()
    for which in (signal.SIGINT, signal.SIGTERM):
        test_end(texts, answers, which)
    test_start()
    test_faults()


run(main)
