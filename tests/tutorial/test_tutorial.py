"""Docker's tutorial, typed into `stack` and into Docker's own client on our socket."""
import json
import re
import shlex
import socket
import subprocess
import urllib.error

from harness import eventually, fetch
from tutorial import Tutorial, WithDocker, WithStack

ID = re.compile(r"^[0-9a-f]{64}\n$")


def gone(url):
    try:
        fetch(url, timeout=1)
    except (urllib.error.URLError, OSError):
        return True
    return False


# What is typed wrongly, Docker's exit code, and words of what it says.
REFUSED = [
    ("run --pull never nosuch-image:1 true", 125, "No such image: nosuch-image:1"),
    ("run 127.0.0.1:9/x true", 125, "127.0.0.1:9"),
    ("run UPPER true", 125, "invalid reference format: repository name (library/UPPER) must be lowercase"),
    ("run --rm busybox /etc", 126, "is a directory"),
    ("run -p x:80 busybox true", 125, "invalid hostPort: x"),
    ("run -p 99999:80 busybox true", 125, "invalid hostPort: 99999"),
    ("run --name taken busybox true", 125, 'The container name "/taken" is already in use by container'),
    ("run --name 'a b' busybox true", 125, "Invalid container name (a b)"),
    ("run -v /x:rel busybox true", 125, "mount path must be absolute"),
    ("run --mount type=bind,source=/no/such,target=/x busybox true", 125, "bind source path does not exist: /no/such"),
    ("run --rm --network nosuch busybox true", 125, "network nosuch not found"),
    ("run --env-file /no/such busybox true", 125, "no such file or directory"),
    ("run --memory x busybox true", 125, "invalid"),
    ("run --restart sometimes busybox true", 125, "sometimes"),
    ("run --rm --restart always busybox true", 125, "conflicting options"),
    ("run --link nosuch:x busybox true", 125, "nosuch"),
    ("create --cap-add NOSUCH busybox", 1, "NOSUCH"),
    ("start nosuch", 1, "No such container: nosuch"),
    ("stop -t x taken", 125, 'invalid argument "x"'),
    ("kill -s NOSUCH taken", 1, "NOSUCH"),
    ("rm taken", 1, "cannot remove container"),
    ("unpause taken", 1, "is not paused"),
    ("exec taken nosuch", 127, "executable file not found"),
    ("exec -u nosuch taken true", 1, "unable to find user nosuch"),
    ("logs --since x taken", 1, '"x"'),
    ("cp taken:/no/such /tmp/x", 1, "Could not find the file /no/such in container taken"),
    ("cp /no/such taken:/x", 1, "no such file or directory"),
    ("rename taken taken", 1, "same name"),
    ("update --memory 1k taken", 1, "Minimum memory limit allowed is 6MB"),
    ("inspect --format {{ taken", 64, "template parsing error"),
    ("commit taken UPPER", 1, "must be lowercase"),
    ("tag busybox UPPER", 1, "must be lowercase"),
    ("rmi busybox", 1, "container"),
    ("save nosuch -o /tmp/x.tar", 1, "No such image: nosuch"),
    ("load -i /no/such", 1, "no such file or directory"),
    ("import /no/such", 1, "no such file or directory"),
    ("pull 127.0.0.1:9/x", 1, "127.0.0.1:9"),
    ("push nosuch", 1, "nosuch"),
    ("login -u a -p b 127.0.0.1:9", 1, "127.0.0.1:9"),
    ("build /no/such", 1, "unable to prepare context: path \"/no/such\" not found"),
    ("network create bridge", 1, "bridge"),
    ("network create --subnet x net1", 1, "x"),
    ("network rm bridge", 1, "bridge"),
    ("network connect bridge taken", 1, "already exists in network bridge"),
    ("volume create a/b", 1, "includes invalid characters"),
    ("volume rm nosuch", 1, "no such volume"),
    ("ps --filter x", 125, "bad format of filter (expected name=value)"),
    ("system prune --filter x", 125, "bad format of filter (expected name=value)"),
    ("ps --filter status=x", 1, "x"),
    ("nosuch", 1, "nosuch"),
]


class Lines:
    def test_hello_world(self):
        version = self.docker("version").out
        self.assertRegex(version, r"(?s)^Client:.*\nServer:")
        self.assertRegex(version, r"API version: +1\.\d+")
        self.assertRegex(self.docker("info").out, r"(?m)^ *Containers: 0$")
        pulled = self.docker("pull", "hello-world").out
        self.assertRegex(pulled, r"^Using default tag: latest\nlatest: Pulling from library/hello-world\n")
        self.assertRegex(pulled, r"Digest: sha256:[0-9a-f]{64}\nStatus: Downloaded newer image for hello-world:latest\n"
                                 r"docker\.io/library/hello-world:latest\n$")
        rows = self.table("images")
        self.assertEqual(rows[0], ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"])
        self.assertEqual(rows[1][:2], ["hello-world", "latest"])
        self.assertIn("Hello from a container!", self.docker("container", "run", "--name", "mycontainer", "hello-world").out)
        rows = self.table("ps", "-a")
        self.assertEqual(rows[0], ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"])
        self.assertEqual([rows[1][1], rows[1][2], rows[1][-1]], ["hello-world", '"/hello"', "mycontainer"])
        self.assertRegex(rows[1][4], r"^Exited \(0\) .* ago$")
        taken = self.docker("container", "run", "--name", "mycontainer", "hello-world", code=125)
        self.assertIn("/mycontainer", taken.err)
        self.assertIn("container", self.docker("rmi", "hello-world", code=1).err)  # is used by the stopped container
        self.assertEqual(self.docker("container", "rm", "mycontainer").out, "mycontainer\n")
        removed = self.docker("rmi", "hello-world").out
        self.assertRegex(removed, r"(?m)^Untagged: hello-world:latest$")
        self.assertRegex(removed, r"(?m)^Deleted: sha256:[0-9a-f]{64}$")
        self.assertEqual(len(self.table("images")), 1)

    def test_nginx(self):
        started = self.docker("container", "run", "-d", "-p", "80:80", "--rm", "--name", "mynginx", "nginx")
        self.assertRegex(started.out, ID)
        self.assertIn("Unable to find image 'nginx:latest' locally", started.err)
        self.assertIn("nginx", eventually(lambda: fetch("http://127.0.0.1/"), 10))
        page = self.put("index.html", "<h1>mine</h1>\n")
        self.docker("container", "cp", page, "mynginx:/usr/share/nginx/html")
        self.assertEqual(fetch("http://127.0.0.1/"), "<h1>mine</h1>\n")
        self.docker("container", "cp", "mynginx:/usr/share/nginx/html/index.html", str(self.machine.base / "back.html"))
        self.assertEqual((self.machine.base / "back.html").read_text(), "<h1>mine</h1>\n")
        self.assertEqual(self.docker("container", "stop", "mynginx").out, "mynginx\n")
        eventually(lambda: self.containers() == {}, 5, "--rm removes it")
        self.assertTrue(gone("http://127.0.0.1/"))

        self.put("html/index.html", "first\n")
        html = str(self.machine.base / "html")
        self.docker("container", "run", "-d", "--name", "mynginx", "--volume", f"{html}:/usr/share/nginx/html", "-p",
                    "127.0.0.1:8080:80", "nginx")
        self.assertEqual(eventually(lambda: fetch("http://127.0.0.1:8080/"), 10), "first\n")
        self.put("html/index.html", "second\n")
        self.assertEqual(fetch("http://127.0.0.1:8080/"), "second\n")
        row = self.table("ps")[1]
        self.assertIn("127.0.0.1:8080->80/tcp", row)
        self.assertEqual(self.docker("port", "mynginx").out, "80/tcp -> 127.0.0.1:8080\n")
        self.docker("container", "stop", "-t", "2", "mynginx")
        self.assertEqual(len(self.table("ps")), 1)
        self.assertRegex(self.containers()["mynginx"], r"^Exited \(0\)")
        self.assertTrue(gone("http://127.0.0.1:8080/"))
        self.assertEqual(self.docker("container", "start", "mynginx").out, "mynginx\n")
        self.assertEqual(eventually(lambda: fetch("http://127.0.0.1:8080/"), 10), "second\n")
        running = self.docker("container", "rm", "mynginx", code=1)
        self.assertIn("container is running: stop the container before removing or force remove", running.err)
        self.docker("container", "stop", "-t", "2", "mynginx")
        self.docker("container", "rm", "mynginx")
        self.docker("run", "-d", "--name", "mynginx", "nginx")
        self.assertEqual(self.docker("rm", "-f", "mynginx").out, "mynginx\n")
        self.assertEqual(self.containers(), {})

    def sql(self, text, password, code=0):
        return self.docker("exec", "-i", "mymysql", "mariadb", "-uroot", f"-p{password}", "-N", stdin=text, code=code)

    def start_mysql(self, password):
        self.docker("run", "-d", "-p", "3306:3306", "--name", "mymysql",
                    "-v", f"{self.machine.base}/mysql/conf:/etc/mysql/conf.d",
                    "-v", f"{self.machine.base}/mysql/data:/var/lib/mysql", "-e", f"MYSQL_ROOT_PASSWORD={password}",
                    "mysql:5.7")

    def test_mysql(self):
        self.docker("pull", "mysql:5.7")
        self.put("mysql/conf/mine.cnf", "[mysqld]\nmax_connections=77\n")
        self.start_mysql("first")
        eventually(lambda: self.sql("select 1;", "first", code=None).out == "1\n", 60, "MariaDB answers")
        self.assertEqual(self.sql("select @@max_connections;", "first").out, "77\n")
        with socket.create_connection(("127.0.0.1", 3306), 5) as connection:
            self.assertIn(b"MariaDB", connection.recv(200))
        terminal = self.terminal("exec", "-it", "mymysql", "/bin/bash")
        terminal.expect(r"[#\$] ")
        terminal.type("mariadb -uroot -pfirst\n")
        terminal.expect(r"MariaDB \[\(none\)\]> ")
        terminal.type("create database shop; use shop; create table t (n int); insert into t values (42);\n")
        terminal.expect(r"Query OK, 1 row affected")
        terminal.type("alter user 'root'@'localhost' identified by 'second';\n")
        terminal.expect(r"Query OK")
        terminal.type("exit\n")
        terminal.expect(r"Bye")
        terminal.type("exit 4\n")
        self.assertEqual(terminal.end(), 4)
        self.assertEqual(self.sql("select 1;", "first", code=1).out, "")
        self.assertEqual(self.sql("select n from shop.t;", "second").out, "42\n")
        self.docker("rm", "-f", "mymysql")
        self.start_mysql("ignored: the data is there")
        eventually(lambda: self.sql("select n from shop.t;", "second", code=None).out == "42\n", 60, "the data is still there")

    def replicas(self):
        info = self.docker("exec", "redis-master", "redis-cli", "info", "replication").out
        return int(re.search(r"connected_slaves:(\d+)", info)[1])

    def address(self, name):
        return self.docker("inspect", "--format", "{{ .NetworkSettings.IPAddress }}", name).out.strip()

    def test_redis(self):
        self.docker("run", "-d", "--name", "redis-master", "redis")
        for number in (1, 2, 3):
            self.docker("run", "-d", "--name", f"redis-slave-{number}", "--link", "redis-master:redis-master", "redis",
                        "redis-server", "--slaveof", "redis-master", "6379")
        eventually(lambda: self.replicas() == 3, 20)
        address = self.address("redis-master")
        self.assertRegex(address, r"^172\.17\.\d+\.\d+$")
        environment = self.docker("exec", "redis-slave-1", "env").out
        self.assertIn(f"REDIS_MASTER_PORT_6379_TCP_ADDR={address}\n", environment)
        self.docker("exec", "redis-master", "redis-cli", "set", "key", "value")
        eventually(lambda: self.docker("exec", "redis-slave-2", "redis-cli", "get", "key").out == "value\n", 10)
        self.docker("rm", "-f", "redis-master")
        self.docker("run", "-d", "--name", "filler", "redis", "sleep", "1000")  # takes the address
        self.docker("run", "-d", "--name", "redis-master", "redis")
        self.assertNotEqual(self.address("redis-master"), address)
        eventually(lambda: self.replicas() == 3, 30, "the replicas find the master again")

    def test_forge(self):
        base = self.machine.base
        self.put("forge/config/name", "my forge\n")
        for directory in ("logs", "data"):
            (base / "forge" / directory).mkdir()
        self.docker("run", "--detach", "--hostname", "forge.example.com", "--publish", "8443:80", "--publish", "2222:22",
                    "--name", "forge", "--restart", "always", "--env", "READY_AFTER=4",
                    "--volume", f"{base}/forge/config:/etc/forge", "--volume", f"{base}/forge/logs:/var/log/forge",
                    "--volume", f"{base}/forge/data:/var/opt/forge", "forge")
        self.assertIn("(health: starting)", self.containers()["forge"])
        eventually(lambda: "(healthy)" in self.containers()["forge"], 20)
        self.assertEqual(fetch("http://127.0.0.1:8443/"), "my forge\n")
        with socket.create_connection(("127.0.0.1", 2222), 5) as connection:
            self.assertEqual(connection.recv(100), b"SSH-2.0-forge\n")
        self.assertEqual((base / "forge/logs/log").read_text(), "starting\nready\n")
        self.assertEqual(self.docker("exec", "forge", "hostname").out, "forge.example.com\n")
        self.docker("restart", "-t", "1", "forge")
        eventually(lambda: "(healthy)" in self.containers()["forge"], 20)
        self.assertEqual(len((base / "forge/data/starts").read_text().splitlines()), 2)

    def test_commit(self):
        terminal = self.terminal("run", "--name", "myubuntu", "-it", "ubuntu", "/bin/bash")
        terminal.expect(r"root@[0-9a-f]{12}:/[#] ", 60)
        terminal.type("DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends /debs/*.deb >/tmp/log 2>&1; "
                      "echo installed: $?\n")
        terminal.expect(r"installed: 0", 90)
        terminal.type("echo '<h1>committed</h1>' >/var/www/html/index.html\n")
        terminal.type("exit\n")
        self.assertEqual(terminal.end(), 0)
        row = self.table("container", "ls", "-a")[1]
        self.assertRegex(row[4], r"^Exited \(0\)")
        changes = self.docker("diff", "myubuntu").out.splitlines()
        self.assertIn("A /usr/sbin/apache2", changes)
        committed = self.docker("commit", "-m", "with apache", "-a", "me", "-c", "EXPOSE 80", row[0], "user/mywebserver").out
        self.assertRegex(committed, r"^sha256:[0-9a-f]{64}\n$")
        self.assertEqual(self.table("images", "user/mywebserver")[1][:2], ["user/mywebserver", "latest"])
        self.assertEqual(self.table("history", "user/mywebserver")[1][-1], "with apache")
        self.docker("run", "-d", "-p", "8081:80", "--name", "web", "user/mywebserver", "apache2ctl", "-D", "FOREGROUND")
        self.assertEqual(eventually(lambda: fetch("http://127.0.0.1:8081/"), 15), "<h1>committed</h1>\n")

    def test_dockerfile(self):
        self.put("base/Dockerfile", "FROM busybox\nONBUILD COPY onbuild.txt /onbuild.txt\n")
        self.put("app/onbuild.txt", "from onbuild\n")
        self.put("app/site/index.html", "served\n")
        self.put("app/unpacked/inner", "unpacked\n")
        subprocess.run(["tar", "-czf", "archive.tar.gz", "unpacked"], cwd=self.machine.base / "app", check=True)
        self.put("app/Dockerfile", """
FROM busybox AS stage
RUN echo shell > /shell
RUN ["sh", "-c", "echo exec > /exec"]
FROM user/base
MAINTAINER Somebody <somebody@example.com>
LABEL version="1.0" description="a test"
ENV GREETING=hello NAME=world
WORKDIR /srv/app
COPY --from=stage /shell /exec /stages/
ADD --chown=33:33 archive.tar.gz /opt/
COPY site ./site
VOLUME /data
EXPOSE 8000
USER 33
ENTRYPOINT ["sh", "-c"]
CMD ["exec httpd -f -p 8000 -h /srv/app/site"]
""")
        self.docker("build", "-t", "user/base", str(self.machine.base / "base"), timeout=120)
        self.docker("build", "-t", "user/myapp", str(self.machine.base / "app"), timeout=120)
        self.assertEqual(self.table("images", "user/myapp")[1][:2], ["user/myapp", "latest"])
        rows = self.table("history", "user/myapp")
        self.assertEqual(rows[0], ["IMAGE", "CREATED", "CREATED BY", "SIZE", "COMMENT"])
        self.assertTrue(any("USER 33" in " ".join(row) for row in rows), rows)
        self.docker("run", "-d", "-p", "8000:8000", "--name", "app", "user/myapp")
        self.assertEqual(eventually(lambda: fetch("http://127.0.0.1:8000/"), 10), "served\n")
        show = "pwd; id -u; echo $GREETING $NAME; cat /stages/shell /stages/exec /opt/unpacked/inner /onbuild.txt; " \
               "stat -c %u /opt/unpacked/inner"
        self.assertEqual(self.docker("run", "--rm", "user/myapp", show).out,
                         "/srv/app\n33\nhello world\nshell\nexec\nunpacked\nfrom onbuild\n33\n")
        self.assertEqual(self.docker("run", "--rm", "-w", "/tmp", "-e", "NAME=moon", "-u", "0", "user/myapp",
                                     "pwd; id -u; echo $GREETING $NAME").out, "/tmp\n0\nhello moon\n")
        self.assertEqual(self.docker("run", "--rm", "--entrypoint", "echo", "user/myapp", "overridden").out, "overridden\n")
        image = json.loads(self.docker("image", "inspect", "user/myapp").out)[0]
        self.assertEqual(image["Config"]["Labels"], {"version": "1.0", "description": "a test"})
        self.assertEqual(list(image["Config"]["Volumes"]), ["/data"])
        self.assertEqual(image["Author"], "Somebody <somebody@example.com>")
        failed = self.docker("build", "-", stdin="FROM busybox\nRUN exit 7\n", code=None)
        self.assertNotEqual(failed.code, 0)
        self.assertIn("exit 7", failed.out + failed.err)

    def test_exit_codes_and_signals(self):
        self.docker("pull", "busybox")
        run = ("run", "--rm", "busybox")
        self.assertEqual(self.docker(*run, "sh", "-c", "echo out; echo err >&2; exit 3", code=3).out, "out\n")
        self.docker(*run, "nosuch", code=127)
        self.docker(*run, "/etc", code=126)
        self.docker("run", "-d", "--name", "killed", "busybox", "sleep", "1000")
        self.docker("kill", "killed")
        self.assertEqual(self.docker("wait", "killed").out, "137\n")
        self.docker("rm", "killed")
        self.docker("run", "--rm", "nosuch-image", code=125)
        self.docker("run", "--nosuch-flag", "busybox", code=125)
        self.docker("run", "--rm", "-p", "80:80:80:80:x", "busybox", code=125)
        self.assertEqual(self.containers(), {})
        self.assertEqual(self.docker("run", "-i", "--rm", "busybox", "cat", stdin="through\n").out, "through\n")
        # stdin at its end, output goes on
        self.assertEqual(self.docker("run", "-i", "--rm", "busybox", "sh", "-c", "cat; sleep 0.3; echo later",
                                     stdin="first\n").out, "first\nlater\n")
        self.docker("rm", "nosuch", code=1)
        self.assertIn("No such container: nosuch", self.docker("logs", "nosuch", code=1).err)

    def test_what_is_wrong_is_refused_in_one_sentence(self):
        """Docker's exit code, its words, and nothing half done."""
        self.docker("pull", "busybox")
        self.docker("run", "-d", "--name", "taken", "busybox", "sleep", "1000")
        before = self.everything()
        for line, code, words in REFUSED:
            with self.subTest(line):
                done = self.docker(*shlex.split(line), code=code)
                self.assertIn(words.lower(), (done.err + done.out).lower())
                said = done.err.split("docker.com/go/buildx/\n")[-1].split("\nUsage:")[0].split("\nRun '")[0].strip().splitlines()
                self.assertLessEqual(len(said), 3, done)  # the sentence, one in front of it, one word of advice
        self.assertEqual(self.everything(), before)
        self.docker("rm", "-f", "taken")

    def everything(self):
        return [self.docker(*words, "--format", "{{json .ID}} {{json .Names}}").out if words[0] == "ps" else
                self.docker(*words).out for words in (("ps", "-a"), ("images", "-q"), ("network", "ls", "-q"),
                                                      ("volume", "ls", "-q"))]

    def test_terminal(self):
        self.docker("pull", "busybox")
        terminal = self.terminal("run", "--name", "shell", "-it", "busybox", "sh")
        terminal.expect(r"/ # ")
        terminal.type("tty; stty size\n")
        terminal.expect(r"/dev/pts/0")
        terminal.type("\x10\x11")  # ctrl-p ctrl-q
        self.assertEqual(terminal.end(), 0)
        self.assertTrue(self.containers()["shell"].startswith("Up"))
        terminal = self.terminal("attach", "shell")
        terminal.type("echo again $((40 + 2))\n")
        terminal.expect(r"again 42")
        terminal.type("exit 5\n")
        self.assertEqual(terminal.end(), 5)
        terminal = self.terminal("start", "-ai", "shell")
        terminal.type("echo once more $((1 + 1))\n")
        terminal.expect(r"once more 2")
        terminal.type("exit\n")
        self.assertEqual(terminal.end(), 0)
        # the client dies, --rm holds all the same
        terminal = self.terminal("run", "--rm", "--name", "orphan", "-it", "busybox", "sh", "-c", "echo on; sleep 1")
        terminal.expect(r"on\r?\n")
        terminal.child.kill()
        terminal.end()
        eventually(lambda: "orphan" not in self.containers(), 10)


class StackLines(Lines, WithStack, Tutorial):
    pass


class DockerLines(Lines, WithDocker, Tutorial):
    pass
