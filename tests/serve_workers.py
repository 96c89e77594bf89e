#!/usr/bin/env python3
"""dunlin serve --workers from outside, on loopback, with a tiny model. Usage: serve_workers.py DUNLIN FIXTURES UNIT

Answers of several processes at the same time must be those of classify; what is counted must add up, whoever is asked;
a worker that is killed is started again and takes nobody's connection with it but his own; at the end all that has
begun is answered and no process is left. UNIT is the service file of the documentation. Nothing is measured.
"""

import concurrent.futures
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys

from served import Server, WAIT, check, dunlin, expected, make_run, run, wait_for

unit = sys.argv[3]
BODY = json.dumps({"text": "then the inn"}).encode()
ONE = b"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
SAMPLE = re.compile(r'dunlin_(\w+)(?:\{((?:\w+="[^"\\]*",?)*)\})? ([0-9.e+-]+)')


def workers_of(server):
    with open(f"/proc/{server.process.pid}/task/{server.process.pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def metrics(server):
    """Every sample of a scrape, by its name and labels; each line must be one of the format's."""
    status, headers, body = server.ask("GET", "/metrics")
    check(status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4"), f"metrics: {status}")
    found, kinds = {}, {}
    for line in body.decode().splitlines():
        if line.startswith("# TYPE dunlin_"):
            name, kind = line.split()[2:]
            kinds[name.removeprefix("dunlin_")] = kind
        elif not line.startswith("# HELP dunlin_"):
            sample = SAMPLE.fullmatch(line)
            check(sample, f"metrics: {line!r}")
            key = (sample[1], sample[2] or "")
            check(key not in found, f"metrics: {key} twice")
            family = re.sub("_(bucket|sum|count)$", "", sample[1])
            check(sample[1] in kinds or kinds.get(family) == "histogram", f"metrics: {key} has no type")
            found[key] = float(sample[3])
    check(body.endswith(b"\n"), "metrics: no end of the last line")
    return found


def dial(server):
    return socket.create_connection(("127.0.0.1", server.port), WAIT)


def answer_on(client):
    """Status and document of the next answer on a connection."""
    reply = http.client.HTTPResponse(client)
    reply.begin()
    return reply.status, json.loads(reply.read())


def is_open(client):
    client.sendall(ONE)
    with contextlib.suppress(OSError, http.client.HTTPException):
        return answer_on(client)[0] == 200
    return False


def connections_of(process):
    """Connections over TCP that a process has open."""
    with open(f"/proc/{process}/net/tcp", encoding="ascii") as file:
        tcp = {fields[9] for fields in map(str.split, file)}
    found = 0
    for name in os.listdir(f"/proc/{process}/fd"):
        with contextlib.suppress(OSError):
            link = os.readlink(f"/proc/{process}/fd/{name}")
            found += link.startswith("socket:[") and link[8:-1] in tcp
    return found


def ask_many(server, texts, answers, n=60):
    """n requests at the same time, on a connection each; how many texts that were."""
    def ask(i):
        which = [(7 * i + j) % len(texts) for j in range(1 + i % 4)]
        return server.classify({"texts": [texts[j] for j in which]}) == {"answers": [answers[j] for j in which]}

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        check(all(pool.map(ask, range(n))), "requests at the same time have other answers than classify's")
    return sum(1 + i % 4 for i in range(n))


def test_counts(server, texts, answers):
    before = metrics(server)
    n_texts = ask_many(server, texts, answers)
    check(server.ask("POST", "/classify", b"{")[0] == 400 and server.ask("GET", "/nothing")[0] == 404, "refusals")
    scrapes = [metrics(server) for _ in range(4)]  # of one worker or another
    after = scrapes[0]

    def grown(name, labels=""):
        return after[name, labels] - before[name, labels]

    check(grown("texts_total") == n_texts, f"texts: {grown('texts_total')}, expected {n_texts}")
    check(grown("request_seconds_count") == 60, f"requests in the histogram: {grown('request_seconds_count')}")
    for status, wanted in (("200", 61), ("400", 1), ("404", 1), ("503", 0)):
        found = grown("requests_total", f'status="{status}"')
        check(found == wanted, f"requests with status {status}: {found}, expected {wanted}")
    buckets = [value for (name, _), value in after.items() if name == "request_seconds_bucket"]
    check(buckets == sorted(buckets) and buckets[-1] == after["request_seconds_count", ""], f"buckets: {buckets}")
    check(after["request_seconds_sum", ""] > 0 and after["queue_texts", ""] == 0, "sum of seconds, or the queue")
    check((after["workers", ""], after["workers_up", ""], after["rejected_total", ""]) == (2, 2, 0), "workers up")
    check(sum(name == "memory_bytes" and value > 1e6 for (name, _), value in after.items()) == 4, "memory")
    for i, scrape in enumerate(scrapes):
        found = scrape["requests_total", 'status="200"'] - after["requests_total", 'status="200"']
        check(found == i, f"a later scrape shows {found} requests more, expected {i}")
    check(server.ask("POST", "/metrics", b"")[0] == 405, "POST /metrics")


def test_killed(server, texts, answers):
    """Connections are spread evenly; those of a worker that is killed end, all others stay, and new ones are served."""
    wait_for("no connections", lambda: metrics(server)["connections", ""] == 1)
    clients = [dial(server) for _ in range(8)]
    for client in clients:
        check(is_open(client), "a connection")
    workers = workers_of(server)
    spread = [connections_of(worker) for worker in workers]
    # That of the last look at the metrics may have been counted still.
    check(sum(spread) == 8 and min(spread) >= 3, f"8 connections are spread as {spread}")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        os.kill(workers[0], signal.SIGKILL)
        job = pool.submit(ask_many, server, texts, answers)  # those that come meanwhile wait, or go to the other
        job.result()
    left = [is_open(client) for client in clients]
    check(sum(left) == spread[1], f"{sum(left)} of 8 connections are left, expected those of the other worker")
    for client in clients:
        client.close()
    wait_for("the worker is up again", lambda: metrics(server)["workers_up", ""] == 2)
    check(metrics(server)["worker_restarts_total", ""] == 1, "restarts")
    again = workers_of(server)
    check(len(again) == 2 and workers[0] not in again and workers[1] in again, f"{workers} became {again}")
    ask_many(server, texts, answers)


def test_asked_to_end(server, texts, answers):
    """SIGTERM to one worker: what it has begun is answered, and another is started."""
    head = b"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(BODY)
    clients = [dial(server) for _ in range(4)]
    for client in clients:
        client.sendall(head + BODY[:9])
    server.has_read(*clients)
    os.kill(workers_of(server)[0], signal.SIGTERM)
    for client in clients:
        client.sendall(BODY[9:])
        check(answer_on(client)[0] == 200, "an answer of a worker that was asked to end")
        client.close()
    ask_many(server, texts, answers)
    wait_for("the worker is up again", lambda: metrics(server)["workers_up", ""] == 2)


def gone(processes):
    def is_there(process):
        with contextlib.suppress(OSError):
            with open(f"/proc/{process}/stat", encoding="ascii") as file:
                return file.read().rsplit(")", 1)[1].split()[0] != "Z"
        return False

    return not any(map(is_there, processes))


def test_end(which, whole_group):
    """The end with requests under way, by a signal to the supervisor or, as by Ctrl-C, to all."""
    server = Server("--workers", "2", before=["setsid"] if whole_group else ())
    workers = workers_of(server)
    head = b"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(BODY)
    clients = [dial(server) for _ in range(6)]
    for client in clients:
        client.sendall(head + BODY[:9])
    server.has_read(*clients)
    (os.killpg if whole_group else os.kill)(server.process.pid, which)
    for client in clients:
        client.sendall(BODY[9:])
        check(answer_on(client)[0] == 200, "an answer while the server closes")
        client.close()
    said = server.process.communicate(timeout=WAIT)[1]
    check(server.process.returncode == 0, f"ended with {server.process.returncode}: {said}")
    check(gone(workers), "workers are left")
    with contextlib.suppress(ConnectionRefusedError):
        dial(server).close()
        check(False, "somebody still listens")


def test_end_at_once():
    """A second signal; and a supervisor that is killed, whose workers find nobody at their door."""
    server = Server("--workers", "2", "--timeout", "3600")
    workers = workers_of(server)
    with dial(server) as client:
        client.sendall(ONE[:-9])
        server.has_read(client)  # and waits for the rest
        server.process.send_signal(signal.SIGTERM)
        for line in server.process.stderr:
            if "closing" in line:
                break
        server.process.send_signal(signal.SIGTERM)
        server.process.communicate(timeout=WAIT)
    check(server.process.returncode == -signal.SIGTERM, f"a second signal: {server.process.returncode}")
    wait_for("the end of workers that are ended at once", lambda: gone(workers))
    server = Server("--workers", "2")
    workers = workers_of(server)
    server.process.kill()
    wait_for("the end of workers whose supervisor was killed", lambda: gone(workers))
    server.process.communicate(timeout=WAIT)


def test_too_many_deaths():
    server = Server("--workers", "2", "--restarts", "0")
    workers = workers_of(server)
    os.kill(workers[1], signal.SIGKILL)
    said = server.process.communicate(timeout=WAIT)[1]
    check(server.process.returncode == 1 and "too many" in said, f"{server.process.returncode}: {said}")
    check(gone(workers), "workers are left")


def test_start():
    """What cannot be, with one message; more workers than processors."""
    for wanted, options in ((2, ["--workers", "0"]), (2, ["--workers", "-1"]), (2, ["--workers", "65"]),
                            (2, ["--workers", "two"]), (2, ["--workers", "2", "--restarts", "-1"]),
                            (4, ["--workers", "2", "--device", "no such device"])):
        result = subprocess.run([dunlin, "serve", "run", "--port", "0", "--quiet", *options], stderr=subprocess.PIPE,
                                timeout=WAIT, text=True, check=False)
        check(result.returncode == wanted, f"{options}: {result.returncode}, expected {wanted}")
        check(result.stderr.count("dunlin: ") == 1, f"{options}: {result.stderr}")
    server = Server("--workers", "2", before=["taskset", "--cpu-list", str(min(os.sched_getaffinity(0)))])
    check("may use 1 processor," in server.said, f"no word on few processors: {server.said}")
    check(server.classify({"text": "then"})["label"] in ("no", "yes"), "two workers on a processor")
    server.end()


def test_faults():
    """Operations fail in the supervisor and in workers, the same in each: the server ends in good order."""
    for n in (1, 40, 160, 400, 700):
        server = Server("--workers", "2", "--restarts", "1", fail_at=n)
        if server.port:
            for _ in range(3):
                with contextlib.suppress(OSError, http.client.HTTPException):
                    status = server.ask("POST", "/classify", BODY)[0]
                    check(status in (200, 500, 503), f"status {status} with operation {n} failing")
            server.process.send_signal(signal.SIGTERM)
        server.said += server.process.communicate(timeout=WAIT)[1]
        check(server.process.returncode in (0, 1, 3, 4), f"operation {n}: {server.process.returncode}: {server.said}")


def test_unit():
    """The service file, with this program in the place of the installed one."""
    with open(unit, encoding="utf-8") as file:
        text = file.read()
    words = re.search(r"^ExecStart=/usr/bin/dunlin serve \S+ --port 8080 (.*) --quiet$", text, re.MULTILINE)
    Server(*words[1].split()).end()
    if not shutil.which("systemd-analyze"):
        print("skipped: systemd-analyze is not installed")
        return
    with open("dunlin-serve.service", "w", encoding="utf-8") as file:
        file.write(text.replace("/usr/bin/dunlin", dunlin))
    result = subprocess.run(["systemd-analyze", "verify", "--man=no", "./dunlin-serve.service"], text=True, check=False,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=WAIT)
    about = [line for line in result.stdout.splitlines() if "dunlin-serve.service" in line]
    check(result.returncode == 0 and not about, f"systemd-analyze: {result.returncode}: {result.stdout}")


def share_kernels():
    """Each worker has a folder of kernels of its own; what the first one compiled is what the second needs."""
    folder = os.environ.get("POCL_CACHE_DIR")
    if folder:
        os.makedirs(folder + ".worker-1", exist_ok=True)
        subprocess.run(["cp", "-rln", folder + "/.", folder + ".worker-1/"], check=False)


def main():
    make_run()
    share_kernels()
    words = "then the inn qqzz qz xx in zz".split()
    texts = [" ".join(words[(i * j) % len(words)] for j in range(i % 13)) for i in range(24)]
    answers = expected(texts)
    server = Server("--workers", "2")
    check(len(workers_of(server)) == 2, "two workers")
    test_counts(server, texts, answers)
    test_killed(server, texts, answers)
    test_asked_to_end(server, texts, answers)
    server.end()
    for which, whole_group in ((signal.SIGTERM, False), (signal.SIGINT, True)):
        test_end(which, whole_group)
    test_end_at_once()
    test_too_many_deaths()
    test_start()
    test_faults()
    test_unit()


run(main)
