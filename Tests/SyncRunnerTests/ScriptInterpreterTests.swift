import Testing

@testable import SyncRunner

@Suite struct ScriptInterpreterTests {
    private func interpreter(_ beginning: String) -> ScriptInterpreter { ScriptInterpreter(Array(beginning.utf8)) }

    @Test(arguments: [
        "#!/bin/sh\n", "#!/bin/bash -eu\n", "#! /usr/bin/env bash\n", "#!/usr/bin/env -S bash -e\n", "echo no shebang\n", "", "#!\n", "#!/bin/sh",
    ])
    func anyShellMayExecuteAShellScript(beginning: String) {
        for shell in ["sh", "bash", "dash", "busybox", "zsh"] { #expect(interpreter(beginning).includes(shell)) }
        #expect(!interpreter(beginning).includes("python3"))
        #expect(!interpreter(beginning).isUnknown)
    }

    @Test(arguments: ["#!/no/such/python3\n", "#!/usr/bin/env no-such-python3 \n", "#!/usr/bin/env -i NAME=value /no/such/python3 -u\n"])
    func otherInterpretersAreKnownByTheLettersOfTheirNames(beginning: String) {
        let stem = beginning.contains("no-such") ? "no" : "python"
        #expect(interpreter(beginning).includes("\(stem)3.11"))
        #expect(!interpreter(beginning).includes("bash"))
        #expect(!interpreter(beginning).includes("perl"))
    }

    @Test(arguments: ["#!/usr/bin/nice bash\n", "#!/usr/bin/env -u X bash\n", "#!/usr/bin/env\n", "#!/usr/bin/flock /l bash\n"])
    func anInterpreterThatAnotherProgramStartsIsUnknown(beginning: String) {
        #expect(interpreter(beginning).isUnknown)
    }

    @Test func aCompiledProgramNeedsNoInterpreter() {
        let compiled = ScriptInterpreter([0x7f] + Array("ELF".utf8))
        #expect(!compiled.includes("sh") && !compiled.isUnknown)
    }

    @Test(
        arguments: [
            (["bash", "/opt/sync.sh"], .file("/opt/sync.sh")), (["bash", "-eu", "sync.sh", "-c"], .file("sync.sh")),
            (["bash", "-euo", "pipefail", "sync.sh"], .file("sync.sh")), (["bash", "+O", "extglob", "sync.sh"], .file("sync.sh")),
            (["bash", "--", "-odd"], .file("-odd")), (["bash", "-", "sync.sh"], .file("sync.sh")), (["busybox", "sh", "sync.sh"], .file("sync.sh")),
            (["bash", "--rcfile", "/x", "sync.sh"], .file("sync.sh")), (["bash", "--norc", "sync.sh"], .file("sync.sh")),
            (["bash", "-c", "./sync.sh"], .text), (["sh", "-ec", ". x"], .text), (["bash"], .input), (["-bash"], .input),
            (["bash", "-s", "x"], .input),
            (["bash", "--login"], .input), ([], .input), (["bash", "--"], .input),
        ] as [([String], ScriptInterpreter.Source)])
    func whatAShellExecutes(arguments: [String], expected: ScriptInterpreter.Source) {
        #expect(interpreter("#!/bin/bash\n").source(arguments) == expected)
    }

    @Test(
        arguments: [
            (["python3", "-u", "sync.py"], .file("sync.py")), (["python3", "-W", "ignore", "sync.py"], .file("sync.py")),
            (["python3", "-c", "import os"], .text), (["python3", "-m", "sync"], .text), (["python3"], .input),
        ] as [([String], ScriptInterpreter.Source)])
    func whatAnotherInterpreterExecutes(arguments: [String], expected: ScriptInterpreter.Source) {
        #expect(interpreter("#!/no/such/python3\n").source(arguments) == expected)
    }

    @Test func otherLanguagesMentionAFileWithoutItsSuffix() {
        #expect(interpreter("#!/no/such/python3\n").mention(of: "sync.fkk.py") == "sync.fkk")
        #expect(interpreter("#!/no/such/python3\n").mention(of: ".py") == ".py")
        #expect(interpreter("#!/bin/sh\n").mention(of: "sync.sh") == "sync.sh")
    }

    @Test(arguments: [
        (". \"$dir\"/x", true), ("source $file", true), ("x;. *.sh", true), ("(source `ls`)", true), (". ./x.sh", false), ("echo $x", false),
        ("sourced $x", false), ("", false),
    ])
    func aSourcedFileMayHaveAnyName(text: String, expected: Bool) {
        #expect(ScriptInterpreter.sourcesAnyFile(text) == expected)
    }

    @Test(arguments: [("/usr/bin/bash", "bash"), ("-bash", "bash"), ("bash", "bash"), ("/a/b/", "b"), ("/", "/"), ("", "")])
    func theBaseOfAPath(path: String, expected: String) {
        #expect(ScriptInterpreter.base(path) == expected)
    }
}
