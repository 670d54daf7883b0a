package report

import (
	"html"
	"strings"
	"unicode"
)

// markup is HTML that is also XML. Text becomes markup only by text and raw, so that no name can bring elements of its own. The
// packages for templates would do the same, but they call methods by their names: the linker then keeps every exported method there
// is, and the program is a quarter larger.
type markup string

// text returns markup that shows a text. What XML does not allow is replaced.
func text(s string) markup {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' || r == 0xFFFE || r == 0xFFFF {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(s, string(unicode.ReplacementChar)))
	return markup(html.EscapeString(s))
}

// element returns an element. Its attributes are written behind its name: `td class="number"`.
func element(tag string, inner ...markup) markup {
	name, _, _ := strings.Cut(tag, " ")
	var b strings.Builder
	b.WriteString("<" + tag + ">")
	for _, m := range inner {
		b.WriteString(string(m))
	}
	b.WriteString("</" + name + ">")
	return markup(b.String())
}

// flags returns markup that shows a text in which a line may end before a flag, but not within one, if there is room.
func flags(s string) markup {
	var shown markup
	for i, piece := range strings.Split(s, " -") {
		if i > 0 {
			shown += " "
			piece = "-" + piece
		}
		shown += element(`span class="whole"`, text(piece))
	}
	return shown
}

// join puts markup behind each other, on lines of their own.
func join(parts []markup) markup {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(string(p) + "\n")
	}
	return markup(b.String())
}
