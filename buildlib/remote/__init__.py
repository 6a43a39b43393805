"""The remote cache: ZIPs that machines share. It saves time and never decides alone."""
