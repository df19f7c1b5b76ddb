// A monitor of a transparency log, on golang.org/x/mod/sumdb: it knows nothing of moho but the log's address and key.
//
//	log-monitor KEY FOLDER [OLD-CHECKPOINT]
//
// FOLDER holds what the log serves, under the paths it serves it by. Every entry's hash is recomputed and proven to be in the
// tree of the checkpoint, whose signature is checked; with an earlier checkpoint, that the log only grew.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type served struct{ folder string }

func (s served) Height() int { return 8 }

func (s served) SaveTiles([]tlog.Tile, [][]byte) {}

// Go's own paths have the tiles' height in them.
func (s served) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	found := make([][]byte, len(tiles))
	for i, tile := range tiles {
		bytes, err := s.read(strings.Replace(tile.Path(), "tile/8/", "tile/", 1))
		if err != nil {
			return nil, err
		}
		found[i] = bytes
	}
	return found, nil
}

func (s served) read(path string) ([]byte, error) {
	return os.ReadFile(filepath.Join(s.folder, path))
}

func (s served) entries(size int64) ([][]byte, error) {
	var all [][]byte
	for n := int64(0); n*256 < size; n++ {
		width := size - n*256
		if width > 256 {
			width = 256
		}
		path := strings.Replace(tlog.Tile{H: 8, L: 0, N: n, W: int(width)}.Path(), "tile/8/0/", "tile/entries/", 1)
		bundle, err := s.read(path)
		if err != nil {
			return nil, err
		}
		for len(bundle) > 0 {
			length := binary.BigEndian.Uint16(bundle)
			all = append(all, bundle[2:2+length])
			bundle = bundle[2+length:]
		}
	}
	if int64(len(all)) != size {
		return nil, fmt.Errorf("%d entries of %d", len(all), size)
	}
	return all, nil
}

func checkpoint(text []byte, key string) (tlog.Tree, error) {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if lines[0] != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("a checkpoint of %s", lines[0])
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil {
		return tlog.Tree{}, err
	}
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)
	return tree, nil
}

func monitor(key, folder, old string) error {
	log := served{folder}
	text, err := log.read("checkpoint")
	if err != nil {
		return err
	}
	now, err := checkpoint(text, key)
	if err != nil {
		return err
	}
	entries, err := log.entries(now.N)
	if err != nil {
		return err
	}
	reader := tlog.TileHashReader(now, log)
	for i, entry := range entries {
		proof, err := tlog.ProveRecord(now.N, int64(i), reader)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, now.N, now.Hash, int64(i), tlog.RecordHash(entry)); err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
	}
	if old != "" {
		text, err := os.ReadFile(old)
		if err != nil {
			return err
		}
		before, err := checkpoint(text, key)
		if err != nil {
			return err
		}
		proof, err := tlog.ProveTree(now.N, before.N, reader)
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(proof, now.N, now.Hash, before.N, before.Hash); err != nil {
			return fmt.Errorf("since %d entries: %w", before.N, err)
		}
	}
	fmt.Println(now.N)
	return nil
}

func main() {
	arguments := append(os.Args[1:], "", "", "")
	if err := monitor(arguments[0], arguments[1], arguments[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
