// An independent reader of a published log: Go's own note and tlog, none of our code.
// Usage: verify FOLDER|URL VKEY STEP — checks every entry, and proofs of each STEPth entry and size.
// Build: GO111MODULE=off GOPATH=/usr/share/gocode go build -o verify verify.go
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type place string

func (p place) Height() int                         { return 8 }
func (p place) SaveTiles(_ []tlog.Tile, _ [][]byte) {}

func (p place) read(path string) ([]byte, error) {
	if !strings.HasPrefix(string(p), "http") {
		return os.ReadFile(filepath.Join(string(p), path))
	}
	answer, err := http.Get(string(p) + "/" + path)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, answer.Status)
	}
	return io.ReadAll(answer.Body)
}

func (p place) ReadTiles(tiles []tlog.Tile) (all [][]byte, err error) {
	for _, t := range tiles {
		path := strings.Replace(t.Path(), "tile/8/", "tile/", 1)
		data, err := p.read(strings.Replace(path, "/data/", "/entries/", 1))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	files, step := place(strings.TrimSuffix(os.Args[1], "/")), must(strconv.ParseInt(os.Args[3], 10, 64))
	key := must(note.NewVerifier(os.Args[2]))
	opened := must(note.Open(must(files.read("checkpoint")), note.VerifierList(key)))
	lines := strings.Split(opened.Text, "\n")
	tree := tlog.Tree{N: must(strconv.ParseInt(lines[1], 10, 64)), Hash: must(tlog.ParseHash(lines[2]))}
	hashes := tlog.TileHashReader(tree, files)
	if must(tlog.TreeHash(tree.N, hashes)) != tree.Hash {
		log.Fatal("the tiles do not lead to the root")
	}
	proofs := 0
	for first := int64(0); first < tree.N; first += 256 {
		width := int(min(256, tree.N-first))
		data := must(files.ReadTiles([]tlog.Tile{{H: 8, L: -1, N: first / 256, W: width}}))[0]
		leaves := must(files.ReadTiles([]tlog.Tile{{H: 8, L: 0, N: first / 256, W: width}}))[0]
		for i := first; i < first+int64(width); i++ {
			size := int(binary.BigEndian.Uint16(data))
			hash := tlog.RecordHash(data[2 : 2+size])
			data = data[2+size:]
			if at := (i - first) * 32; !bytes.Equal(hash[:], leaves[at:at+32]) {
				log.Fatalf("entry %d is not in its tile", i)
			}
			if i%step == 0 || i == tree.N-1 {
				if err := tlog.CheckRecord(must(tlog.ProveRecord(tree.N, i, hashes)), tree.N, tree.Hash, i, hash); err != nil {
					log.Fatal(err)
				}
				old := must(tlog.TreeHash(i+1, hashes))
				if err := tlog.CheckTree(must(tlog.ProveTree(tree.N, i+1, hashes)), tree.N, tree.Hash, i+1, old); err != nil {
					log.Fatal(err)
				}
				proofs += 2
			}
		}
		if len(data) != 0 {
			log.Fatal("a bundle has bytes left over")
		}
	}
	fmt.Println(opened.Sigs[0].Name, tree.N, tree.Hash, proofs)
}

func min(a, b int64) int64 {
	if a < b {
		return a
	}
	return b
}
