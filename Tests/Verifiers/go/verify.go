// Verifies an exported audit log and receipts with the code that protects Go's module downloads
// (golang.org/x/mod/sumdb/note and tlog). It shares no code with the service.
//
//	verify -vkey KEY -log DIR [-checkpoint FILE]...   the whole export, and that it extends older checkpoints
//	verify -vkey KEY -receipt FILE...                 one entry; prints it
//
// KEY is the log's first verifier key. The program follows changes of key within an export. A receipt needs the key that
// signed it. Exit code 0: verified. 1: not, with the reason. 64: wrong usage.
//
// Build it without a network, with Debian's golang-go and golang-golang-x-mod-dev:
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go build -o verify verify.go
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const tileHeight = 8

type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func main() {
	var checkpoints, receipts list
	vkey := flag.String("vkey", "", "the log's verifier key")
	log := flag.String("log", "", "folder of an export")
	flag.Var(&checkpoints, "checkpoint", "file with an older checkpoint")
	flag.Var(&receipts, "receipt", "file with a receipt")
	flag.Parse()
	if *vkey == "" || flag.NArg() > 0 || (*log == "") == (len(receipts) == 0) {
		flag.Usage()
		os.Exit(64)
	}
	if err := run(*vkey, *log, checkpoints, receipts); err != nil {
		fmt.Fprintln(os.Stderr, "REFUSED:", err)
		os.Exit(1)
	}
}

func run(vkey, log string, checkpoints, receipts list) error {
	key, err := note.NewVerifier(vkey)
	if err != nil {
		return fmt.Errorf("vkey: %w", err)
	}
	if log != "" {
		if err := verifyLog(log, key, checkpoints); err != nil {
			return err
		}
	}
	for _, file := range receipts {
		if err := verifyReceipt(file, key); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

// A signed checkpoint. Do not trust its fields before open has verified it.
type checkpoint struct {
	message []byte
	tree    tlog.Tree
}

// tlog.ParseTree accepts only the first line of the Go checksum database, so this code parses the three lines.
func parseCheckpoint(message []byte) (*checkpoint, error) {
	lines := strings.SplitN(string(message), "\n", 5)
	if len(lines) != 5 || lines[3] != "" {
		return nil, errors.New("a checkpoint has three lines and an empty one")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 1 || lines[1] != strconv.FormatInt(size, 10) {
		return nil, errors.New("the checkpoint's second line is not a size")
	}
	hash, err := tlog.ParseHash(lines[2])
	if err != nil {
		return nil, errors.New("the checkpoint's third line is not a hash")
	}
	return &checkpoint{message, tlog.Tree{N: size, Hash: hash}}, nil
}

// open verifies the signature, and that the first line is the key's name.
func (c *checkpoint) open(key note.Verifier) error {
	opened, err := note.Open(c.message, note.VerifierList(key))
	if err != nil {
		return fmt.Errorf("checkpoint of %d entries: %w", c.tree.N, err)
	}
	if want := fmt.Sprintf("%s\n%d\n%s\n", key.Name(), c.tree.N, c.tree.Hash); opened.Text != want {
		return fmt.Errorf("checkpoint of %d entries: the signed text is not %q", c.tree.N, want)
	}
	return nil
}

// An export: the checkpoint's tree, and tiles read from files.
type export struct {
	folder string
	tree   tlog.Tree
	tiles  map[string][]byte
}

func (e *export) Height() int                                { return tileHeight }
func (e *export) SaveTiles(tiles []tlog.Tile, data [][]byte) {}

func (e *export) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		// C2SP's paths omit the height, which is always 8.
		path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", tileHeight), "tile/", 1)
		data, known := e.tiles[path]
		if !known {
			var err error
			if data, err = os.ReadFile(filepath.Join(e.folder, path)); err != nil {
				return nil, err
			}
			e.tiles[path] = data
		}
		all = append(all, data)
	}
	return all, nil
}

// entries reads the bundles, calling f with each entry.
func (e *export) entries(f func(index int64, entry []byte) error) error {
	for first := int64(0); first < e.tree.N; first += 1 << tileHeight {
		tile := tlog.Tile{H: tileHeight, L: -1, N: first >> tileHeight, W: 1 << tileHeight}
		if left := e.tree.N - first; left < 1<<tileHeight {
			tile.W = int(left)
		}
		path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/data/", tileHeight), "tile/entries/", 1)
		bundle, err := os.ReadFile(filepath.Join(e.folder, path))
		if err != nil {
			return err
		}
		for i := 0; i < tile.W; i++ {
			if len(bundle) < 2 || len(bundle) < 2+int(bundle[0])<<8+int(bundle[1]) {
				return fmt.Errorf("%s ends within entry %d", path, first+int64(i))
			}
			size := int(bundle[0])<<8 + int(bundle[1])
			if err := f(first+int64(i), bundle[2:2+size]); err != nil {
				return err
			}
			bundle = bundle[2+size:]
		}
		if len(bundle) > 0 {
			return fmt.Errorf("%s has more than its entries", path)
		}
	}
	return nil
}

func verifyLog(folder string, key note.Verifier, older list) error {
	message, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	if err != nil {
		return err
	}
	head, err := parseCheckpoint(message)
	if err != nil {
		return err
	}
	var kept []*checkpoint
	for _, file := range older {
		message, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		c, err := parseCheckpoint(message)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if c.tree.N > head.tree.N {
			return fmt.Errorf("%s: has %d entries, the log %d", file, c.tree.N, head.tree.N)
		}
		kept = append(kept, c)
	}

	log := &export{folder, head.tree, map[string][]byte{}}
	hashes := tlog.TileHashReader(log.tree, log)
	changes := 0
	err = log.entries(func(index int64, entry []byte) error {
		proof, err := tlog.ProveRecord(log.tree.N, index, hashes)
		if err != nil {
			return fmt.Errorf("entry %d: %w", index, err)
		}
		if err := tlog.CheckRecord(proof, log.tree.N, log.tree.Hash, index, tlog.RecordHash(entry)); err != nil {
			return fmt.Errorf("entry %d: %w", index, err)
		}
		newKey, err := keyAfter(entry, index, key, hashes)
		if err != nil {
			return fmt.Errorf("entry %d: %w", index, err)
		}
		if newKey.KeyHash() != key.KeyHash() {
			changes++
		}
		key = newKey
		for _, c := range kept {
			if c.tree.N != index+1 {
				continue
			}
			if err := c.open(key); err != nil {
				return err
			}
			proof, err := tlog.ProveTree(log.tree.N, c.tree.N, hashes)
			if err != nil {
				return err
			}
			if err := tlog.CheckTree(proof, log.tree.N, log.tree.Hash, c.tree.N, c.tree.Hash); err != nil {
				return fmt.Errorf("does not extend the checkpoint of %d entries: %w", c.tree.N, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	// This comes last, because the log's last key signed it.
	if err := head.open(key); err != nil {
		return err
	}
	fmt.Printf("%d entries, root %s, %d changes of key, extends %d older checkpoints\n",
		log.tree.N, log.tree.Hash, changes, len(kept))
	return nil
}

// keyAfter returns the key that signs the log from this entry on.
func keyAfter(entry []byte, index int64, key note.Verifier, hashes tlog.HashReader) (note.Verifier, error) {
	var fields struct{ Event, Origin, Vkey, Signature string }
	if err := json.Unmarshal(entry, &fields); err != nil {
		return nil, err
	}
	if (index == 0) != (fields.Event == "genesis") {
		return nil, errors.New("the first entry, and no other, is the genesis")
	}
	if index == 0 && fields.Origin != key.Name() {
		return nil, fmt.Errorf("the genesis is that of %q", fields.Origin)
	}
	if index > 0 && fields.Event != "key_changed" {
		return key, nil
	}
	newKey, err := note.NewVerifier(fields.Vkey)
	if err != nil {
		return nil, fmt.Errorf("vkey: %w", err)
	}
	if newKey.Name() != key.Name() {
		return nil, errors.New("a key of another name")
	}
	if index == 0 {
		if newKey.KeyHash() != key.KeyHash() {
			return nil, errors.New("the genesis names another key")
		}
		return newKey, nil
	}
	// The old key signed these five lines as a note.
	before, err := tlog.TreeHash(index, hashes)
	if err != nil {
		return nil, err
	}
	statement := fmt.Sprintf("%s\nkey_changed\n%d\n%s\n%s\n", key.Name(), index, before, fields.Vkey)
	message := fmt.Sprintf("%s\n— %s %s\n", statement, key.Name(), fields.Signature)
	if _, err := note.Open([]byte(message), note.VerifierList(key)); err != nil {
		return nil, fmt.Errorf("change of key: %w", err)
	}
	return newKey, nil
}

// verifyReceipt checks a proof in the format of c2sp.org/tlog-proof whose line "extra" holds the entry.
func verifyReceipt(file string, key note.Verifier) error {
	message, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	end := bytes.Index(message, []byte("\n\n"))
	if end < 0 {
		return errors.New("no empty line before the checkpoint")
	}
	c, err := parseCheckpoint(message[end+2:])
	if err != nil {
		return err
	}
	if err := c.open(key); err != nil {
		return err
	}
	lines := strings.Split(string(message[:end]), "\n")
	if len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" ||
		!strings.HasPrefix(lines[1], "extra ") || !strings.HasPrefix(lines[2], "index ") {
		return errors.New("not a proof with an entry and an index")
	}
	entry, err := base64.StdEncoding.Strict().DecodeString(strings.TrimPrefix(lines[1], "extra "))
	if err != nil {
		return err
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	if err != nil || lines[2] != fmt.Sprintf("index %d", index) {
		return errors.New("the index is not a number")
	}
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		if err != nil || hash.String() != line {
			return errors.New("a line of the proof is not a hash")
		}
		proof = append(proof, hash)
	}
	if err := tlog.CheckRecord(proof, c.tree.N, c.tree.Hash, index, tlog.RecordHash(entry)); err != nil {
		return err
	}
	fmt.Printf("entry %d of %d: %s\n", index, c.tree.N, entry)
	return nil
}
