"""HDF5 files of robomimic, robosuite and Isaac Lab."""
