package ort

// BindEachStep makes steppers of s bind their inputs anew before each step, as on a GPU.
func (s *Session) BindEachStep() { s.rebind = true }
