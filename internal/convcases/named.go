package convcases

// Named returns the case of that name.
func Named(name string) Case {
	for _, c := range Cases {
		if c.Name == name {
			return c
		}
	}
	panic("no case is called " + name)
}
