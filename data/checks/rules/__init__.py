"""What each rule of an examination looks for, a file each."""
