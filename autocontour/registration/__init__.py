"""Registration of one CT of a patient to another, rigid and deformable."""
