package main

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The program prints names from models, data sets and folders that anyone could have made. A name can contain control sequences
// for a terminal (colors, the cursor, the direction of writing), or text that looks like a line of the program itself. Such
// characters are printed as escapes, by the rules of Go's strconv.QuoteToGraphic: \x1b, \n, \u202e.

// plain returns a text as one line without characters that control a terminal.
func plain(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[0])
		case strconv.IsGraphic(r):
			b.WriteString(text[:size])
		default:
			quoted := strconv.QuoteRuneToGraphic(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		text = text[size:]
	}
	return b.String()
}

// plainError returns the text of an error, with each joined error on its own line.
func plainError(err error) string {
	var inner []error
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if one := e.Unwrap(); one != nil {
			inner = []error{one}
		}
	case interface{ Unwrap() []error }:
		inner = e.Unwrap()
	}
	var b strings.Builder
	rest := err.Error()
	for i, e := range inner {
		before, after, found := strings.Cut(rest, e.Error())
		if !found {
			continue
		}
		if i == 0 || before != "\n" {
			before = plain(before)
		}
		b.WriteString(before)
		b.WriteString(plainError(e))
		rest = after
	}
	b.WriteString(plain(rest))
	return b.String()
}

// shown is a value that a format prints as plain text.
type shown struct{ value any }

func (s shown) Format(f fmt.State, verb rune) {
	if err, ok := s.value.(error); ok && (verb == 'v' || verb == 's') {
		fmt.Fprint(f, plainError(err))
		return
	}
	fmt.Fprint(f, plain(fmt.Sprintf(fmt.FormatString(f, verb), s.value)))
}

// plainJSON returns a JSON document whose strings have no characters that control a terminal.
func plainJSON(document []byte) []byte {
	plain := make([]byte, 0, len(document))
	for len(document) > 0 {
		r, size := utf8.DecodeRune(document)
		switch {
		case r == '\n' || strconv.IsGraphic(r):
			plain = append(plain, document[:size]...)
		default:
			for _, unit := range utf16.AppendRune(nil, r) {
				plain = fmt.Appendf(plain, `\u%04x`, unit)
			}
		}
		document = document[size:]
	}
	return plain
}
