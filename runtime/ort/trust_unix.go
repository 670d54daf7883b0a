//go:build !windows

package ort

import (
	"fmt"
	"os"
	"syscall"
)

// checkTrust returns an error if anybody except the user and root could have put a file or folder there.
func checkTrust(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	status, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("the system does not say who owns %s", path)
	}
	if owner := int(status.Uid); owner != 0 && owner != os.Geteuid() {
		return fmt.Errorf("%s belongs to another user (%d): it is used only if you name it with --ort-lib or %s", path, owner, LibraryVariable)
	}
	if info.Mode().Perm()&0o002 != 0 {
		return fmt.Errorf("everybody may write to %s: it is used only if you name it with --ort-lib or %s; or remove that permission (chmod o-w)", path, LibraryVariable)
	}
	return nil
}
