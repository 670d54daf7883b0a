package gradient

// What tests look at, and replace.
type (
	Rule = rule
	Call = call
)

var Rules = rules
